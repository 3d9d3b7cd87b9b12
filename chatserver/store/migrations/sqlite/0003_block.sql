-- Who has blocked whom.

CREATE TABLE block (
    user_id    TEXT NOT NULL REFERENCES account (user_id),
    blocked_id TEXT NOT NULL REFERENCES account (user_id),
    PRIMARY KEY (user_id, blocked_id)
) WITHOUT ROWID;
CREATE INDEX block_by ON block (blocked_id, user_id);
