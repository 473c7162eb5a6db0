"""Topics: made and taken apart the same way, and no name can break out of its level."""

import pytest

from metering import topics
from metering.topics import GatewayId

GATEWAY = GatewayId("test-site", "gw-1")


@pytest.mark.parametrize(
    ("make", "topic"),
    [
        (topics.log_topic, "sakugen/v1/test-site/gw-1/log"),
        (topics.ack_topic, "sakugen/v1/test-site/gw-1/ack"),
        (topics.status_topic, "sakugen/v1/test-site/gw-1/status"),
        (topics.birth_topic, "sakugen/v1/test-site/gw-1/birth"),
    ],
)
def test_a_gateway_topic_names_its_gateway_and_leads_back_to_it(make, topic):
    assert make(GATEWAY) == topic
    assert topics.gateway_of(topic) == GATEWAY


def test_an_ingest_shard_has_a_topic_of_its_own():
    assert topics.online_topic("shard-1") == "sakugen/v1/ingest/shard-1/online"
    assert topics.gateway_of(topics.online_topic("shard-1")) is None


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "sakugen/v1/test-site/gw-1",
        "sakugen/v1/test-site/gw-1/log/more",
        "sakugen/v2/test-site/gw-1/log",
        "other/v1/test-site/gw-1/log",
        "sakugen/v1/test-site/gw-1/gossip",
        "sakugen/v1/Test-site/gw-1/log",
        "sakugen/v1//gw-1/log",
        "sakugen/v1/ingest/gw-1/log",
    ],
)
def test_another_topic_belongs_to_no_gateway(topic):
    assert topics.gateway_of(topic) is None


@pytest.mark.parametrize("name", ["", "a/b", "a b", "+", "#", "A", "a+b", "-a", "é", "a\n", "a" * 64, "ingest"])
def test_a_name_that_could_break_out_of_its_level_cannot_be_a_site(name):
    with pytest.raises(ValueError, match="cannot be a site"):
        GatewayId(name, "gw-1")


@pytest.mark.parametrize("name", ["a", "0", "mongolia-farm", "a.b_c-d", "a" * 63])
def test_plain_names_can_be_sites_and_gateways(name):
    assert str(GatewayId(name, name)) == f"{name}/{name}"


def test_a_gateway_may_be_called_ingest_because_its_level_is_free():
    assert str(GatewayId("test-site", "ingest")) == "test-site/ingest"
