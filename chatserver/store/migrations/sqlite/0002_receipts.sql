-- How far each member has got: what was delivered to him, what he has viewed, and how many messages are unread, so that a
-- list of conversations counts nothing. What was there before counts as viewed, and nobody is told so.

ALTER TABLE member ADD COLUMN unread        BIGINT NOT NULL DEFAULT 0;  -- messages of others above viewed_seq
ALTER TABLE member ADD COLUMN viewed_seq    BIGINT NOT NULL DEFAULT 0;
ALTER TABLE member ADD COLUMN viewed_id     TEXT   NOT NULL DEFAULT ''; -- the last message at or below viewed_seq
ALTER TABLE member ADD COLUMN delivered_seq BIGINT NOT NULL DEFAULT 0;  -- never below viewed_seq
UPDATE member SET viewed_seq = (SELECT value FROM counter WHERE name = 'seq'), delivered_seq = (SELECT value FROM counter WHERE name = 'seq'),
    viewed_id = (SELECT c.last_message_id FROM conversation c WHERE c.conversation_id = member.conversation_id);

-- What the others are told of it. Where a mark stands is said by its member's row.
CREATE TABLE report (
    conversation_id TEXT   NOT NULL,
    user_id         TEXT   NOT NULL,
    type            TEXT   NOT NULL,     -- delivered or viewed
    report_id       TEXT   NOT NULL,     -- new each time the mark moves
    seq             BIGINT NOT NULL,     -- when it did
    created         BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, user_id, type),
    FOREIGN KEY (user_id, conversation_id) REFERENCES member (user_id, conversation_id)
) WITHOUT ROWID;

-- What has expired loses its content and leaves its instance; its place in the order is kept for a while.
CREATE INDEX message_expiry ON message (valid_until) WHERE valid_until > 0 AND instance <> '';
CREATE INDEX message_place ON message (valid_until) WHERE instance = '';
