-- The steps of a run apart from its record: what becomes of one is written without writing the others again.

CREATE TABLE run_steps (
    run    text COLLATE "C" NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    job    bigint NOT NULL,
    step   bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (run, job, step)
);

UPDATE meta SET value = '4' WHERE name = 'layout';
