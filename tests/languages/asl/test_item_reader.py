"""What a distributed Map reads becomes items, or says where it is broken."""

import json

import pytest
from tests.languages.asl.playing import play

GET = "arn:aws:states:::s3:getObject"


def read(body, **config):
    """How a Map ends that reads this, with its items as its output."""
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "P"}
    state = {
        "Type": "Map",
        "ItemReader": {"Resource": GET, "ReaderConfig": config, "Parameters": {"Bucket": "b", "Key": "k"}},
        "ItemProcessor": {**processor, "States": {"P": {"Type": "Pass", "End": True}}},
        "End": True,
    }
    answer = body if isinstance(body, dict) else {"Body": body}
    return play({"StartAt": "M", "States": {"M": state}}, {}, lambda *_: answer).outcome


FIRST = {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}
GIVEN = {"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["x", "y"], "CSVDelimiter": "PIPE"}
MANIFEST = json.dumps({"fileSchema": "Bucket, Key", "files": []})


@pytest.mark.parametrize(
    ("body", "config", "items"),
    [
        ('[1, {"a": 2}]', {"InputType": "JSON"}, [1, {"a": 2}]),
        ('{"a": 1, "b": 2}', {"InputType": "JSON"}, [{"Key": "a", "Value": 1}, {"Key": "b", "Value": 2}]),
        ('{"a": {"b": [3]}}', {"InputType": "JSON", "ItemsPointer": "/a/b"}, [3]),
        ('{"n": 1}\n\n{"n": 2}\n', {"InputType": "JSONL"}, [{"n": 1}, {"n": 2}]),
        ('{"n": 1}\n{"n": 2}\n', {"InputType": "JSONL", "MaxItems": 1}, [{"n": 1}]),
        ('\ufeffa,b\r\n1,"x, y"\r\n2\r\n', FIRST, [{"a": "1", "b": "x, y"}, {"a": "2", "b": ""}]),
        ("1|2\n", GIVEN, [{"x": "1", "y": "2"}]),
        (
            {"Body": MANIFEST, "Parts": ["b1,k1\n", "b1,k2\n"]},
            {"InputType": "MANIFEST"},
            [{"Bucket": "b1", "Key": "k1"}, {"Bucket": "b1", "Key": "k2"}],
        ),
        (
            {"Body": MANIFEST, "Parts": ["b1,k1\n"]},
            {"ManifestType": "S3_INVENTORY"},
            [{"Bucket": "b1", "Key": "k1"}],
        ),
        ({"Parts": ["a,b\n1,2\n", "b,a\n3,4\n"]}, FIRST, [{"a": "1", "b": "2"}, {"a": "4", "b": "3"}]),
        ({"Parts": ['{"n": 1}\n', '{"n": 2}\n']}, {"InputType": "JSONL"}, [{"n": 1}, {"n": 2}]),
    ],
)
def test_what_is_read_becomes_items(body, config, items):
    assert json.loads(read(body, **config).output or "") == items


@pytest.mark.parametrize(
    ("body", "config", "said"),
    [
        ("a,b\n1,2\n1,2,3\n", FIRST, "line 3: 3 values for 2 columns"),
        ('a,b\n1,"2\n', FIRST, "unexpected end of data"),
        ("", FIRST, "the CSV file has no header row"),
        ("a;b\n", {**FIRST, "CSVDelimiter": "HASH"}, "there is no CSVDelimiter 'HASH'"),
        ('{"n": 1}\n{"n": \n', {"InputType": "JSONL"}, "line 2: "),
        ("7", {"InputType": "JSON"}, "expected a JSON array or object, got 7"),
        ("{", {"InputType": "JSON"}, "Attempting to read the items failed"),
        ("PAR1", {"InputType": "PARQUET"}, "a Parquet file is no text"),
        ({"Parts": ["[1]", "[2"]}, {"InputType": "JSON"}, "Attempting to read the items failed"),
    ],
)
def test_what_is_broken_fails_the_map_and_says_where(body, config, said):
    ended = read(body, **config)
    assert ended.error == "States.ItemReaderFailed"
    assert said in (ended.cause or "")
