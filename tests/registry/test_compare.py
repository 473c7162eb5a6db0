"""A difference is named by its place and both values."""

from registry.compare import differences


def test_equal_documents_have_no_difference():
    assert list(differences({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]})) == []


def test_each_difference_names_pointer_stated_and_found():
    stated = {"same": 1, "changed": "0.5", "gone": [], "list": [1, 2], "a/b~c": True}
    found = {"same": 1, "changed": "0.6", "new": {}, "list": [1], "a/b~c": 1}
    assert [str(d) for d in differences(stated, found)] == [
        "/a~1b~0c: stated true, found 1",
        '/changed: stated "0.5", found "0.6"',
        "/gone: stated [], found absent",
        "/list/1: stated 2, found absent",
        "/new: stated absent, found {}",
    ]


def test_a_longer_list_and_another_type_are_seen():
    assert [str(d) for d in differences([1], [1, 2])] == ["/1: stated absent, found 2"]
    assert [str(d) for d in differences([1, [2]], [1, [3]])] == ["/1/0: stated 2, found 3"]
    assert [str(d) for d in differences({"a": "1"}, {"a": 1})] == ['/a: stated "1", found 1']


def test_a_long_value_is_shortened():
    (difference,) = differences("x" * 500, None)
    assert len(difference.stated) < 200
    assert "502 characters" in difference.stated
