-- Which numbers of the counter are of the same history. Each start of the program begins an era at the number that the
-- counter has then: what was told in an era of numbers above the next one's beginning is of a history that this database
-- does not have, because an older copy of it was put back.
CREATE TABLE era (
    number INTEGER PRIMARY KEY,          -- their order
    era_id TEXT   NOT NULL UNIQUE,       -- random
    begins BIGINT NOT NULL               -- the number given out last when it began
);

-- How much a user has stored.
CREATE INDEX file_owner ON file (owner, size);
