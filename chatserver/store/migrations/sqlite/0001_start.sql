-- The first tables. Times are unix seconds (UTC) unless the name ends in _ms; flags are 0 or 1; ids are the API's own
-- texts. A seq is a value of the one counter 'seq', given out inside the transaction that makes the change.
-- WITHOUT ROWID keeps rows in the order of their primary key: what is listed together lies together.

CREATE TABLE counter (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
) WITHOUT ROWID;
INSERT INTO counter (name, value) VALUES ('seq', 0);

CREATE TABLE account (
    user_id      TEXT   NOT NULL PRIMARY KEY,
    email        TEXT   NOT NULL UNIQUE,
    full_name    TEXT   NOT NULL,
    nick         TEXT   NOT NULL,
    api_key_hash TEXT   NOT NULL UNIQUE, -- SHA-256 in hex: the api key itself is not kept
    rsa_key      TEXT   NOT NULL,        -- PEM, encrypted with a password that the server never sees
    public_key   TEXT   NOT NULL,        -- base64 DER SubjectPublicKeyInfo
    created_at   BIGINT NOT NULL
);

CREATE TABLE station (
    station_id TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES account (user_id),
    polled_seq BIGINT NOT NULL,          -- what its notification calls without a cursor have been told
    bound_at   BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX station_user ON station (user_id);

CREATE TABLE friend (
    user_id   TEXT   NOT NULL REFERENCES account (user_id),
    friend_id TEXT   NOT NULL REFERENCES account (user_id),
    seq       BIGINT NOT NULL,           -- when user_id was last to be told about friend_id
    PRIMARY KEY (user_id, friend_id)
) WITHOUT ROWID;
CREATE INDEX friend_seq ON friend (user_id, seq, friend_id);

CREATE TABLE conversation (
    conversation_id TEXT    NOT NULL PRIMARY KEY,
    is_group        INTEGER NOT NULL,
    instance        TEXT    NOT NULL,
    last_message_id TEXT    NOT NULL,
    last_report_id  TEXT    NOT NULL,
    last_access     BIGINT  NOT NULL,
    created_at      BIGINT  NOT NULL
) WITHOUT ROWID;

CREATE TABLE member (
    user_id         TEXT    NOT NULL REFERENCES account (user_id),
    conversation_id TEXT    NOT NULL REFERENCES conversation (conversation_id),
    secret          TEXT    NOT NULL,
    display_name    TEXT    NOT NULL,
    is_favorite     INTEGER NOT NULL,
    is_muted        INTEGER NOT NULL,
    hide_id         TEXT    NOT NULL,
    color           TEXT    NOT NULL,
    list_seq        BIGINT  NOT NULL,    -- when the entry in user_id's list last changed
    content_seq     BIGINT  NOT NULL,    -- when messages last changed, 0 while there are none
    PRIMARY KEY (user_id, conversation_id)
) WITHOUT ROWID;
CREATE INDEX member_conversation ON member (conversation_id, user_id);
CREATE INDEX member_list_seq ON member (user_id, list_seq, conversation_id);
CREATE INDEX member_content_seq ON member (user_id, content_seq, conversation_id);

CREATE TABLE message (
    conversation_id TEXT   NOT NULL REFERENCES conversation (conversation_id),
    message_id      TEXT   NOT NULL,
    instance        TEXT   NOT NULL,
    seq             BIGINT NOT NULL,     -- the order of messages, whatever the senders' clocks say
    sender          TEXT   NOT NULL REFERENCES account (user_id),
    type            TEXT   NOT NULL,
    created         BIGINT NOT NULL,     -- by the sender's clock
    valid_until     BIGINT NOT NULL,     -- 0: does not expire
    data            TEXT   NOT NULL,
    extra           TEXT   NOT NULL,     -- JSON object of fields that this program does not know, or empty
    PRIMARY KEY (conversation_id, message_id)
);
CREATE UNIQUE INDEX message_order ON message (conversation_id, instance, seq);

CREATE TABLE request (
    user_id     TEXT   NOT NULL,
    request_id  TEXT   NOT NULL,
    call        TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,         -- SHA-256 in hex of what was asked
    answer      TEXT   NOT NULL,         -- the first answer, as it was sent
    seen_ms     BIGINT NOT NULL,         -- when the first one arrived, unix milliseconds
    PRIMARY KEY (user_id, request_id)
) WITHOUT ROWID;
CREATE INDEX request_seen ON request (seen_ms);
