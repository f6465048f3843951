"""Places, recovery codes, exemptions, shadow mode, counted tokens"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("users", sa.Column("strangers_level", sa.Float(), nullable=False, server_default="0"))
    op.add_column("users", sa.Column("strangers_at", sa.Float(), nullable=False, server_default="0"))
    op.add_column("users", sa.Column("exempt_until", sa.Float(), nullable=True))
    op.add_column("users", sa.Column("sealed_standing", sa.LargeBinary(), nullable=True))
    op.add_column("tokens", sa.Column("step_mark", sa.LargeBinary(length=16), nullable=True))
    op.add_column("tokens", sa.Column("clock_off_s", sa.Float(), nullable=True))
    op.drop_table("tallies")  # failures in a row: they have no place yet, and begin anew
    op.create_table(
        "tallies",
        _reference("user_id"),
        _reference("client_id"),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.Float(), nullable=False),
        sa.Column("last_guess", sa.LargeBinary(length=16), nullable=True),
        sa.Column("first_code_token", sa.BigInteger(), nullable=True),
        sa.Column("first_code_step", sa.BigInteger(), nullable=True),
        sa.Column("first_code_at", sa.Float(), nullable=True),
        sa.Column("unlock_tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("day_level", sa.Float(), nullable=False, server_default="0"),
        sa.Column("day_at", sa.Float(), nullable=False, server_default="0"),
        sa.Column("updated_at", sa.Float(), nullable=False, server_default="0"),
        _to_users("tallies"),
        _to_clients("tallies"),
        sa.PrimaryKeyConstraint("user_id", "client_id", "place", name=op.f("pk_tallies")),
    )
    op.create_index("ix_tallies_updated_at", "tallies", ["updated_at"])
    op.create_table(
        "place_strangers",
        _reference("client_id"),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("level", sa.Float(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        _to_clients("place_strangers"),
        sa.PrimaryKeyConstraint("client_id", "place", name=op.f("pk_place_strangers")),
    )
    op.create_index("ix_place_strangers_at", "place_strangers", ["at"])
    op.create_table(
        "user_places",
        _reference("user_id"),
        sa.Column("place", sa.String(length=80), nullable=False),
        sa.Column("first_at", sa.Float(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        _to_users("user_places"),
        sa.PrimaryKeyConstraint("user_id", "place", name=op.f("pk_user_places")),
    )
    op.create_index("ix_user_places_last_at", "user_places", ["last_at"])
    op.create_table(
        "recovery_codes",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("serial", sa.String(length=16), nullable=False),
        _reference("user_id"),
        sa.Column("sealed_digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        _to_users("recovery_codes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("serial", name=op.f("uq_recovery_codes_serial")),
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    op.create_table(
        "exemptions",
        sa.Column("id", _ROW_ID, nullable=False),
        sa.Column("serial", sa.String(length=16), nullable=False),
        _reference("user_id"),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("client_id", _ROW_ID, nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("logins", sa.Integer(), nullable=True),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("sealed_mark", sa.LargeBinary(), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        _to_users("exemptions"),
        _to_clients("exemptions"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exemptions")),
        sa.UniqueConstraint("serial", name=op.f("uq_exemptions_serial")),
    )
    op.create_index("ix_exemptions_user_id", "exemptions", ["user_id"])
    op.create_table(
        "shadow_outcomes",
        _reference("client_id"),
        sa.Column("username", sa.String(length=253), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.Float(), nullable=False),
        _to_clients("shadow_outcomes"),
        sa.PrimaryKeyConstraint("client_id", "username", name=op.f("pk_shadow_outcomes")),
    )


def _reference(name: str) -> "sa.Column[int]":
    return sa.Column(name, _ROW_ID, nullable=False)


def _to_users(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f(f"fk_{table}_user_id"), ondelete="CASCADE")


def _to_clients(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["client_id"], ["nas_clients.id"], name=op.f(f"fk_{table}_client_id"), ondelete="CASCADE"
    )
