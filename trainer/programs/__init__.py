"""The paper's task: a whole program's C and assembly in, better assembly out."""
