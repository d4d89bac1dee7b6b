-- What several processes agree on about runs (design/scale.md): which run a claim of a schedule is for, until that run has ended, and which
-- runs somebody wants ended. A claim of an earlier layout is for no run that anybody knows.

ALTER TABLE schedule_claims ADD COLUMN run TEXT;

CREATE INDEX schedule_claims_open ON schedule_claims (instant_millis) WHERE run IS NOT NULL;
CREATE INDEX schedule_claims_open_of_workflow ON schedule_claims (workflow) WHERE run IS NOT NULL;
CREATE UNIQUE INDEX schedule_claims_run ON schedule_claims (run) WHERE run IS NOT NULL;

CREATE TABLE run_cancellations (
    run    TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    reason TEXT
) STRICT, WITHOUT ROWID;

UPDATE meta SET value = '5' WHERE name = 'layout';
