-- Names what the catalog holds, so that a reader of some rows knows whether the others are still those that it drew its
-- conclusions from (design/decisions/0010). Triggers, so that no writer can forget it, whatever program it is.
-- The row of the version is also what commits wait for each other at.

INSERT INTO meta (name, value) VALUES ('version', replace(gen_random_uuid()::text, '-', ''));

-- The schema is named: whoever writes rows may look for tables elsewhere.
CREATE FUNCTION rows_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM changed) THEN
        UPDATE mangrove_catalog.meta SET value = replace(gen_random_uuid()::text, '-', '') WHERE name = 'version';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER sources_inserted AFTER INSERT ON sources
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION rows_changed();

CREATE TRIGGER sources_updated AFTER UPDATE ON sources
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION rows_changed();

CREATE TRIGGER sources_deleted AFTER DELETE ON sources
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION rows_changed();

-- Without them, rows are read otherwise.
CREATE TRIGGER descriptions_deleted AFTER DELETE ON descriptions
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION rows_changed();

CREATE TRIGGER parts_deleted AFTER DELETE ON parts
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION rows_changed();

UPDATE meta SET value = '4' WHERE name = 'layout';
