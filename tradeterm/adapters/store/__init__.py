"""The book of record: one SQLite file, one writer, any number of readers."""
