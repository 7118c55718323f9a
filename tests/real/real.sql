-- What the live suite has the sqlite3 shell do.
CREATE TABLE part(id INTEGER PRIMARY KEY, name TEXT, price REAL);
CREATE INDEX part_name ON part(name);
INSERT INTO part(name, price)
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
  SELECT 'part ' || (i * 37 % 200), i * 1.25 FROM n;
CREATE VIRTUAL TABLE words USING fts5(text);
INSERT INTO words VALUES ('a debugger stops'), ('a query goes on'), ('and stops again');
SELECT count(*), sum(price), min(name), max(name) FROM part WHERE id % 3 = 0;
SELECT rowid FROM words WHERE words MATCH 'stops' ORDER BY rowid;
SELECT name FROM part ORDER BY price DESC LIMIT 3;
