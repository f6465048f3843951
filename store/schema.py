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
    Column("period_s", Integer, nullable=False),
    Column("digits", Integer, nullable=False),
    Column("algorithm", String(8), nullable=False),
    Column("drift", Integer, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
)

nas_clients = Table(
    "nas_clients",
    metadata,
    Column("id", RowId, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("network", String(43), nullable=False, unique=True),  # CIDR
    Column("sealed_shared_secret", LargeBinary, nullable=False),
    Column("input_mode", String(16), nullable=False),
    Column("message_authenticator", String(8), nullable=False),  # require or allow
    Column("created_at", Float, nullable=False),
)

tallies = Table(
    "tallies",
    metadata,
    Column("user_id", RowId, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    Column("client_id", RowId, ForeignKey("nas_clients.id", ondelete="CASCADE"), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Float, nullable=False),
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
