"""Lock files at work: rewrites become blocks of a file, and blocks a unit's assembly again."""
