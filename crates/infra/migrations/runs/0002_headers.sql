-- Everything that lists of runs show stands before the record: what follows a long value can only be read through it.

CREATE TABLE runs_2 (
    id              TEXT PRIMARY KEY,
    name            TEXT NOT NULL,
    trigger_name    TEXT NOT NULL,
    status          TEXT NOT NULL,
    started_millis  INTEGER NOT NULL,
    finished_millis INTEGER,
    record          TEXT NOT NULL
) STRICT;

INSERT INTO runs_2 (id, name, trigger_name, status, started_millis, finished_millis, record)
SELECT id, name,
       iif(json_valid(record), coalesce(record ->> '$.trigger', ''), ''), status, started_millis,
       iif(json_valid(record), record ->> '$.finishedAt', NULL), record
FROM runs;

DROP TABLE runs;
ALTER TABLE runs_2 RENAME TO runs;

CREATE INDEX runs_order ON runs (started_millis DESC, id DESC);
CREATE INDEX runs_name ON runs (name, started_millis DESC, id DESC);

UPDATE meta SET value = '2' WHERE name = 'layout';
