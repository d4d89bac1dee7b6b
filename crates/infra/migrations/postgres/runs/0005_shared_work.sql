-- What several processes agree on about runs (design/scale.md): which of them live, which run a claim of a schedule is for, until that run has
-- ended, and which runs somebody wants ended. A claim of an earlier layout is for no run that anybody knows.

-- Times are those of the server, whose clock is the only one that all of them share.
CREATE TABLE processes (
    id      text COLLATE "C" PRIMARY KEY,
    host    text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE runs ADD COLUMN process text COLLATE "C";
-- How often somebody let the run go on whom nobody had it for: whoever had it before does not know this number.
ALTER TABLE runs ADD COLUMN takeovers bigint NOT NULL DEFAULT 0;
CREATE INDEX runs_finished ON runs (finished_millis);
CREATE INDEX runs_open ON runs (id) WHERE status IN ('pending', 'running');

ALTER TABLE schedule_claims ADD COLUMN run text COLLATE "C";
ALTER TABLE schedule_claims ADD COLUMN process text COLLATE "C";
-- True once the run is on record. A column of the claim itself: whoever takes a claim over waits for its row, and looks at it as it is then.
ALTER TABLE schedule_claims ADD COLUMN is_begun boolean NOT NULL DEFAULT false;

CREATE INDEX schedule_claims_open ON schedule_claims (instant_millis) WHERE run IS NOT NULL;
CREATE INDEX schedule_claims_open_of_workflow ON schedule_claims (workflow) WHERE run IS NOT NULL;
CREATE UNIQUE INDEX schedule_claims_run ON schedule_claims (run) WHERE run IS NOT NULL;

CREATE TABLE run_cancellations (
    run    text COLLATE "C" PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    reason text
);

-- What each of them runs from: a document of its files. `digest` names them.
CREATE TABLE checkouts (
    process text COLLATE "C" PRIMARY KEY REFERENCES processes (id) ON DELETE CASCADE,
    digest  bytea NOT NULL,
    record  text NOT NULL
);

-- Which process builds what. Not logged: whoever has lost one to a crash of the server builds something twice, and nothing wrong.
CREATE UNLOGGED TABLE build_leases (
    fingerprint bytea PRIMARY KEY,
    process     text COLLATE "C" NOT NULL,
    -- Tells leases of one process apart: a late holder gives back nothing that is another's.
    number      bigint NOT NULL
);

UPDATE meta SET value = '5' WHERE name = 'layout';
