-- The steps of a run apart from its record: what becomes of one is written without writing the others again. A record of an
-- earlier layout has its steps in itself, until it is written the next time.

CREATE TABLE run_steps (
    run    TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    job    INTEGER NOT NULL,
    step   INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (run, job, step)
) STRICT;

UPDATE meta SET value = '4' WHERE name = 'layout';
