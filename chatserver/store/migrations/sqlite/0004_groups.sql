-- Groups that change, and workspaces.

ALTER TABLE conversation ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0; -- counts the keys that it has had
ALTER TABLE conversation ADD COLUMN rekey INTEGER NOT NULL DEFAULT 0; -- somebody who has left knows the newest key
ALTER TABLE member ADD COLUMN since_seq BIGINT NOT NULL DEFAULT 0;    -- messages up to here are not for the member

-- The earlier keys of a member; member.secret is the newest.
CREATE TABLE member_secret (
    user_id         TEXT    NOT NULL,
    conversation_id TEXT    NOT NULL,
    epoch           INTEGER NOT NULL,
    secret          TEXT    NOT NULL,
    PRIMARY KEY (user_id, conversation_id, epoch),
    FOREIGN KEY (user_id, conversation_id) REFERENCES member (user_id, conversation_id) ON DELETE CASCADE
) WITHOUT ROWID;

-- Who has left: his other stations are told so, and his messages keep his name. It outlives the conversation.
CREATE TABLE departed (
    user_id         TEXT   NOT NULL REFERENCES account (user_id),
    conversation_id TEXT   NOT NULL,
    seq             BIGINT NOT NULL,
    PRIMARY KEY (user_id, conversation_id)
) WITHOUT ROWID;
CREATE INDEX departed_seq ON departed (user_id, seq, conversation_id);
CREATE INDEX departed_conversation ON departed (conversation_id, user_id, seq);

CREATE TABLE workspace (
    name       TEXT   NOT NULL PRIMARY KEY, -- like a host name, lower case
    owner_id   TEXT   NOT NULL REFERENCES account (user_id),
    created_at BIGINT NOT NULL
) WITHOUT ROWID;

CREATE TABLE workspace_member (
    name    TEXT   NOT NULL REFERENCES workspace (name) ON DELETE CASCADE,
    user_id TEXT   NOT NULL REFERENCES account (user_id),
    seq     BIGINT NOT NULL,                -- the order of joining
    PRIMARY KEY (name, user_id)
) WITHOUT ROWID;
CREATE INDEX workspace_member_user ON workspace_member (user_id, name);

CREATE TABLE workspace_invite (
    token_hash TEXT   NOT NULL PRIMARY KEY, -- SHA-256 in hex: the token itself is not kept
    name       TEXT   NOT NULL REFERENCES workspace (name) ON DELETE CASCADE,
    inviter_id TEXT   NOT NULL REFERENCES account (user_id),
    until      BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX workspace_invite_name ON workspace_invite (name);
CREATE INDEX workspace_invite_until ON workspace_invite (until);
