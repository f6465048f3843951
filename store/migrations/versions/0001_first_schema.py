"""First schema"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chains")),
        sa.UniqueConstraint("name", name=op.f("uq_audit_chains_name")),
    )
    op.create_table(
        "data_keys",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_data_keys")),
    )
    op.create_table(
        "meta",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
    )
    op.create_table(
        "nas_clients",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=43), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_nas_clients")),
        sa.UniqueConstraint("name", name=op.f("uq_nas_clients_name")),
    )
    op.create_table(
        "conversations",
        sa.Column("id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversations")),
    )
    op.create_index("ix_conversations_expires", "conversations", ["expires"])
    op.create_table(
        "users",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("username", sa.String(length=253), nullable=False),
        sa.Column("sealed_verifier", sa.LargeBinary(), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_table(
        "audit",
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["chain"], ["audit_chains.id"], name=op.f("fk_audit_chain")),
        sa.PrimaryKeyConstraint("chain", "seq", name=op.f("pk_audit")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "nas_client_secrets",
        sa.Column("client_id", _ROW_ID, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sealed_shared_secret", sa.LargeBinary(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["nas_clients.id"], name=op.f("fk_nas_client_secrets_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "number", name=op.f("pk_nas_client_secrets")),
    )
    op.create_table(
        "client_sightings",
        sa.Column("client_id", _ROW_ID, nullable=False),
        sa.Column("sighting", sa.String(length=32), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["nas_clients.id"], name=op.f("fk_client_sightings_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("client_id", "sighting", name=op.f("pk_client_sightings")),
    )
    op.create_table(
        "input_mode_uses",
        sa.Column("client_id", _ROW_ID, nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["nas_clients.id"], name=op.f("fk_input_mode_uses_client_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_input_mode_uses_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("client_id", "mode", "user_id", name=op.f("pk_input_mode_uses")),
    )
    op.create_table(
        "sessions",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("client_id", _ROW_ID, nullable=False),
        sa.Column("acct_session_id", sa.LargeBinary(length=253), nullable=False),
        sa.Column("nas", sa.String(length=64), nullable=False),
        sa.Column("username", sa.String(length=253), nullable=False),
        sa.Column("user_name", sa.LargeBinary(length=253), nullable=False),
        sa.Column("identification", sa.Text(), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=True),
        sa.Column("framed_address", sa.String(length=45), nullable=True),
        sa.Column("started_at", sa.Float(), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.Column("stopped_at", sa.Float(), nullable=True),
        sa.Column("input_octets", sa.BigInteger(), nullable=False),
        sa.Column("output_octets", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["nas_clients.id"], name=op.f("fk_sessions_client_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint(
            "client_id", "nas", "acct_session_id", name=op.f("uq_sessions_client_id_nas_acct_session_id")
        ),
    )
    op.create_index("ix_sessions_username", "sessions", ["username"])
    op.create_index("ix_sessions_updated_at", "sessions", ["updated_at"])
    op.create_table(
        "tallies",
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("client_id", _ROW_ID, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["client_id"], ["nas_clients.id"], name=op.f("fk_tallies_client_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tallies_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "client_id", name=op.f("pk_tallies")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("serial", sa.String(length=16), nullable=False),
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("sealed_seed", sa.LargeBinary(), nullable=True),
        sa.Column("period_s", sa.Integer(), nullable=False),
        sa.Column("digits", sa.Integer(), nullable=False),
        sa.Column("algorithm", sa.String(length=8), nullable=False),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("spent_by", sa.LargeBinary(length=16), nullable=True),
        sa.Column("spent_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("serial", name=op.f("uq_tokens_serial")),
    )
    op.create_index("ix_tokens_user_id", "tokens", ["user_id"])
    op.create_table(
        "user_groups",
        sa.Column("user_id", _ROW_ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_user_groups_user_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "name", name=op.f("pk_user_groups")),
    )
