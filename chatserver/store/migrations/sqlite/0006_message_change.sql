-- Messages that their senders change. A revision is a value of the counter 'seq'.
ALTER TABLE message ADD COLUMN edited BIGINT NOT NULL DEFAULT 0;   -- when its sender last changed it, 0: never
ALTER TABLE message ADD COLUMN revision BIGINT NOT NULL DEFAULT 0; -- number of the last change, 0: never changed
CREATE INDEX message_revision ON message (conversation_id, instance, revision) WHERE revision > 0;
