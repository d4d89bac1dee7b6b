-- Names what the catalog holds, so that a reader of some rows knows whether the others are still those that it drew its
-- conclusions from (design/decisions/0010). Triggers, so that no writer can forget it, whatever program it is.

INSERT INTO meta (name, value) VALUES ('version', lower(hex(randomblob(16))));

CREATE TRIGGER sources_inserted AFTER INSERT ON sources BEGIN
    UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'version';
END;

CREATE TRIGGER sources_updated AFTER UPDATE ON sources BEGIN
    UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'version';
END;

CREATE TRIGGER sources_deleted AFTER DELETE ON sources BEGIN
    UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'version';
END;

-- Without them, rows are read otherwise.
CREATE TRIGGER descriptions_deleted AFTER DELETE ON descriptions BEGIN
    UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'version';
END;

CREATE TRIGGER parts_deleted AFTER DELETE ON parts BEGIN
    UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'version';
END;

UPDATE meta SET value = '4' WHERE name = 'layout';
