"""An operator's dictionary file becomes definitions, or an error that names the place."""

from pathlib import Path

import pytest
from support.debian import require_program

from authn.errors import ConfigError
from radius_wire.built_in_dictionary import BUILT_IN
from radius_wire.dictionary import AttributeDefinition, DataType, Encryption
from twinward.dictionaries import read_dictionary

EXAMPLE = """\
# An office's own attributes
VENDOR          Example   4711
ATTRIBUTE       Office-Floor        201     byte
ATTRIBUTE       Office-Internal     3000    integer
BEGIN-VENDOR    Example
ATTRIBUTE       Example-Role        1       integer
ATTRIBUTE       Example-Key         2       octets      encrypt=2
ATTRIBUTE       Example-Pin         3       string      encrypt=1
ATTRIBUTE       Example-Tunnel      4       string      has_tag,encrypt=2
ATTRIBUTE       Example-Network     5       ipv6prefix
ATTRIBUTE       Example-Ascend      6       string      encrypt=3
ATTRIBUTE       Example-Machine     7       ether
ATTRIBUTE       Example-Block       8       tlv
ATTRIBUTE       Example-Inside      8.1     integer
VALUE           Example-Role        Guest   0
VALUE           Example-Role        Admin   0x0f
END-VENDOR      Example
"""


@pytest.fixture
def dictionary(tmp_path):
    """Writes a dictionary file."""

    def write(text: str, name: str = "dictionary.example") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_is_read_in_its_order_but_for_what_cannot_be_sent(dictionary):
    assert read_dictionary(dictionary(EXAMPLE)) == [
        AttributeDefinition("Office-Floor", 201, DataType.BYTE),
        AttributeDefinition("Example-Role", 1, DataType.INTEGER, 4711, values={"Guest": 0, "Admin": 15}),
        AttributeDefinition("Example-Key", 2, DataType.STRING, 4711, encryption=Encryption.SALTED),
        AttributeDefinition("Example-Pin", 3, DataType.TEXT, 4711, encryption=Encryption.USER_PASSWORD),
        AttributeDefinition("Example-Tunnel", 4, DataType.TEXT, 4711, has_tag=True, encryption=Encryption.SALTED),
        AttributeDefinition("Example-Network", 5, DataType.IPV6PREFIX, 4711),
    ]


def test_a_file_extends_the_built_in_dictionary(dictionary):
    extended = BUILT_IN.extended(read_dictionary(dictionary(EXAMPLE)))
    assert extended.find("example-role").values["Admin"] == 15
    assert extended.name_of(4711, 2) == "Example-Key"
    assert extended.find("Reply-Message").number == 18


def test_an_included_file_is_read(dictionary):
    dictionary(EXAMPLE)
    path = dictionary("$INCLUDE dictionary.example\nATTRIBUTE Office-Door 202 string\n", "dictionary")
    definitions = read_dictionary(path)
    assert (definitions[0].name, definitions[-1].name) == ("Office-Floor", "Office-Door")


def refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        read_dictionary(path)
    return str(raised.value)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("ATTRIBUTE Office-Door 202 strong", "Illegal type: strong"),
        ("ATTRIBUTE Office-Door", "Incorrect number of tokens for attribute definition"),
        ("BEGIN-VENDOR Nobody", "Unknown vendor Nobody in begin-vendor statement"),
        ("VALUE Office-Floor Roof 256", "Illegal value 256 for attribute Office-Floor"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(dictionary, line, complaint):
    path = dictionary(f"ATTRIBUTE Office-Floor 201 byte\n{line}\n")
    assert refusal(path).startswith(f"{path}, line 2: {complaint}")


def test_a_bad_line_of_an_included_file_is_named_with_both_files(dictionary):
    dictionary("ATTRIBUTE Office-Door 202 strong\n")
    path = dictionary("\n$INCLUDE dictionary.example\n", "dictionary")
    assert refusal(path) == f"{path}, in dictionary.example, line 1: Illegal type: strong"


def test_a_combination_without_a_form_on_the_wire_is_named(dictionary):
    path = dictionary("ATTRIBUTE Office-Gate 203 ipaddr has_tag\n")
    assert refusal(path) == f"{path}: Office-Gate cannot have a tag before a value of type ipv4addr"


def test_a_missing_file_is_named(tmp_path, monkeypatch):
    path = tmp_path / "absent"
    assert refusal(path) == f"{path}: cannot read the dictionary: No such file or directory"
    monkeypatch.chdir(tmp_path)
    assert refusal(Path("absent")) == "absent: cannot read the dictionary: No such file or directory"


def test_a_missing_included_file_is_named(dictionary, tmp_path):
    path = dictionary("$INCLUDE absent\n")
    missing = tmp_path / "absent"
    assert refusal(path) == f"{path}: cannot read {missing}, which it includes: No such file or directory"


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "dictionary"
    path.write_bytes(b"ATTRIBUTE \xff\xfe 202 string\n")
    assert refusal(path) == f"{path}: the dictionary is not UTF-8 text"


def test_nearly_every_dictionary_of_freeradius_is_read():
    """All but those that need another file first, and Juniper's, which writes a type with a capital letter."""
    require_program("freeradius", "freeradius")
    paths = sorted(Path("/usr/share/freeradius").glob("dictionary.*"))
    unread = set()
    for path in paths:
        try:
            read_dictionary(path)
        except ConfigError:
            unread.add(path.suffix)
    assert len(paths) > 200
    assert unread <= {".juniper", ".evs5", ".rfc7499", ".rfc7930", ".rfc8559"}
