"""The tables. Times are Unix seconds; audit rows carry milliseconds.

Every change here goes with a revision under `migrations/versions/`; a test
compares the two. Columns named `sealed_…` hold values of `keyring.py`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

# SQLite counts rows by itself only in a column that is exactly INTEGER.
RowId = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

meta = Table(
    "meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

data_keys = Table(
    "data_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("purpose", String(16), nullable=False),  # "seal" or "audit"
    Column("wrapped", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("username", String(253), nullable=False, unique=True),  # canonical
    Column("sealed_verifier", LargeBinary),
    Column("enabled", Boolean(create_constraint=False), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("strangers_level", Float, nullable=False, server_default="0"),  # see authn/lockout.py
    Column("strangers_at", Float, nullable=False, server_default="0"),
    Column("exempt_until", Float),  # the latest end of an exemption: whether it is worth looking for one
    Column("sealed_standing", LargeBinary),  # what counts of enabled and groups, and whether there was ever a token
)

user_groups = Table(
    "user_groups",
    metadata,
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("serial", String(16), nullable=False, unique=True),
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("phase", String(16), nullable=False),  # pending, active, revoked
    Column("sealed_seed", LargeBinary),  # none once revoked
    Column("period_s", Integer, nullable=False),  # 0: the codes are counted (HOTP), and a step is a counter
    Column("digits", Integer, nullable=False),
    Column("algorithm", String(8), nullable=False),
    Column("drift", Integer, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("spent_by", LargeBinary(16)),  # fingerprint of the attempt that spent the last step
    Column("spent_at", Float),
    Column("step_mark", LargeBinary(16)),  # seals drift and last_step to the token
    Column("clock_off_s", Float),  # how far the device seemed ahead at the last login
    Column("created_at", Float, nullable=False),
)

nas_clients = Table(
    "nas_clients",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("network", String(43), nullable=False),  # CIDR
    Column("rules", Text, nullable=False),  # JSON, see client_rules.py
    Column("created_at", Float, nullable=False),
)

nas_client_secrets = Table(
    "nas_client_secrets",
    metadata,
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # the newest is the highest
    Column("sealed_shared_secret", LargeBinary, nullable=False),
    Column("until", BigInteger),  # the end of an old one
    Column("created_at", Float, nullable=False),
)

client_sightings = Table(
    "client_sightings",
    metadata,
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("sighting", String(32), primary_key=True),
    Column("times", BigInteger, nullable=False),
    Column("last_at", Float, nullable=False),
)

input_mode_uses = Table(
    "input_mode_uses",
    metadata,
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("mode", String(16), primary_key=True),
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("last_at", Float, nullable=False),
)

conversations = Table(  # challenges that were answered; a prompt that nobody answers leaves nothing here
    "conversations",
    metadata,
    Column("id", LargeBinary(16), primary_key=True),
    Column("answers", Integer, nullable=False),
    Column("expires", Float, nullable=False, index=True),
)

sessions = Table(  # what accounting has told of
    "sessions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), nullable=False),
    Column("acct_session_id", LargeBinary(253), nullable=False),
    Column("nas", String(64), nullable=False),  # address that the NAS asks from
    Column("username", String(253), nullable=False, index=True),  # canonical
    Column("user_name", LargeBinary(253), nullable=False),  # as the NAS wrote it
    Column("identification", Text, nullable=False),  # JSON: attributes that name the session to its NAS, in hex
    Column("station", String(64)),
    Column("framed_address", String(45)),
    Column("started_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False, index=True),
    Column("stopped_at", Float),
    Column("input_octets", BigInteger, nullable=False),
    Column("output_octets", BigInteger, nullable=False),
    UniqueConstraint("client_id", "nas", "acct_session_id"),
)

tallies = Table(  # failures of a user at a place
    "tallies",
    metadata,
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("place", String(64), primary_key=True),  # network or station; empty where the NAS tells none
    Column("failures", Integer, nullable=False),
    Column("locked_until", Float, nullable=False),
    Column("last_guess", LargeBinary(16)),  # keyed fingerprint of the newest wrong guess
    Column("first_code_token", BigInteger),  # the first of two codes in a row
    Column("first_code_step", BigInteger),
    Column("first_code_at", Float),
    Column("unlock_tries", Integer, nullable=False, server_default="0"),
    Column("day_level", Float, nullable=False, server_default="0"),
    Column("day_at", Float, nullable=False, server_default="0"),
    Column("updated_at", Float, nullable=False, server_default="0", index=True),
)

place_strangers = Table(  # failures from one place at all names that never came from there; at one unknown name
    "place_strangers",
    metadata,
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("place", String(80), primary_key=True),
    Column("level", Float, nullable=False),
    Column("at", Float, nullable=False, index=True),
)

user_places = Table(  # where a user has logged in from
    "user_places",
    metadata,
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("place", String(80), primary_key=True),  # network or station; the client where the NAS tells none
    Column("first_at", Float, nullable=False),
    Column("last_at", Float, nullable=False, index=True),
)

recovery_codes = Table(  # unused ones; a used one is gone
    "recovery_codes",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("serial", String(16), nullable=False, unique=True),
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("sealed_digest", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False),
)

exemptions = Table(  # logins without a code, for a while; one that is ended is gone
    "exemptions",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("serial", String(16), nullable=False, unique=True),
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(16), nullable=False),
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE")),  # none: at every client
    Column("until", BigInteger, nullable=False),
    Column("logins", Integer),  # none: any number
    Column("used", Integer, nullable=False),
    Column("sealed_mark", LargeBinary, nullable=False),  # holds nothing; opens only while the row is unaltered
    Column("owner", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Float, nullable=False),
)

shadow_outcomes = Table(  # at clients in shadow mode: what enforcement would have come to
    "shadow_outcomes",
    metadata,
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("username", String(253), primary_key=True),  # canonical; may be nobody's here
    Column("outcome", String(32), nullable=False),  # of the last login
    Column("times", Integer, nullable=False),
    Column("last_at", Float, nullable=False),
)

audit_chains = Table(
    "audit_chains",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(128), nullable=False),
    UniqueConstraint("name"),
)

audit = Table(
    "audit",
    metadata,
    Column("chain", Integer, ForeignKey("audit_chains.id"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("body", Text, nullable=False),  # JSON
    Column("mac", LargeBinary, nullable=False),
    sqlite_with_rowid=False,  # rows lie in the order they are written, without a second index
)
