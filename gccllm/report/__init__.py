"""What was decided, and why: JSON and terminal."""
