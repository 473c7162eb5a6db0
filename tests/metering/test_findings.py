"""A finding carries what decided it, and cannot be changed afterwards."""

from dataclasses import FrozenInstanceError

import pytest

from metering.findings import Finding, Severity


def test_a_finding_has_no_evidence_unless_it_is_given_any():
    finding = Finding("counter-reset", "contracts 6", Severity.WARNING, "The counter went down.")
    assert (finding.point, finding.measurand, finding.interval, dict(finding.evidence)) == (None, None, None, {})


def test_a_finding_cannot_be_softened_after_it_was_made():
    finding = Finding("counter-reset", "contracts 6", Severity.BLOCKING, "The counter went down.")
    with pytest.raises(FrozenInstanceError, match="severity"):
        finding.severity = Severity.INFO
