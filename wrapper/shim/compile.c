/* As cc1: run the real one, and only when it has succeeded see whether its output can be better. */
#define _GNU_SOURCE
#include "shim.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DRIVER_SECONDS 120.0

struct job {
  const char *output;        /* the last -o; NULL: none */
  char tests[PATH_ROOM];     /* the folder of recordings beside the source; empty: none */
  const char *reason;        /* why this is no work for us; "" where nobody needs to count it */
};

/* Options that keep us out, and the name they are counted under. A star ends a prefix. */
static const struct { const char *option, *reason; } barriers[] = {
    {"-E", ""},
    {"-M", ""},
    {"-MM", ""},
    {"-fsyntax-only", ""},
    {"--output-pch=*", "pch"},
    {"-fprofile-generate*", "profiling"},
    {"-fprofile-arcs", "coverage"},
    {"-ftest-coverage", "coverage"},
    {"--coverage", "coverage"},
    {"-coverage", "coverage"},
    {"-p", "profiling"},
    {"-pg", "profiling"},
    {"-fsanitize*", "sanitizer"},
    {"-m32", "m32"},
    {"-mx32", "m32"},
    {"-m16", "m32"},
};

/* Options of cc1 whose next word is their argument, so that it is never taken for the source. */
static const char *const separate[] = {
    "-o", "-dumpbase", "-dumpbase-ext", "-dumpdir", "-auxbase", "-auxbase-strip", "-aux-info",
    "-include", "-imacros", "-I", "-D", "-U", "-A", "-isystem", "-iquote", "-idirafter",
    "-iprefix", "-iwithprefix", "-iwithprefixbefore", "-isysroot", "-imultiarch", "-imultilib",
    "-MD", "-MMD", "-MF", "-MT", "-MQ", "--param",
};

static bool matches(const char *pattern, const char *word) {
  size_t size = strlen(pattern);
  if (pattern[size - 1] == '*') return strncmp(pattern, word, size - 1) == 0;
  return strcmp(pattern, word) == 0;
}

static bool takes_argument(const char *word) {
  for (size_t i = 0; i < sizeof separate / sizeof *separate; i++)
    if (strcmp(separate[i], word) == 0) return true;
  return false;
}

/* foo.c has its recordings in foo.tests/ beside it. */
static void look_for_tests(struct job *job, const char *word) {
  size_t size = strlen(word);
  if (size < 3 || strcmp(word + size - 2, ".c") != 0 || size + 5 > sizeof job->tests) return;
  memcpy(job->tests, word, size - 1);
  strcpy(job->tests + size - 1, "tests");
  if (!is_folder(job->tests)) job->tests[0] = '\0';
}

static struct job read_command(int argc, char **argv) {
  struct job job = {.output = NULL, .tests = "", .reason = NULL};
  const char *level = "-O0";
  bool lto = false;
  for (int i = 1; i < argc; i++) {
    const char *word = argv[i];
    /* Not skipped over: an -I before it may have swallowed this -o, and then a later one counts. */
    if (strcmp(word, "-o") == 0 && i + 1 < argc) job.output = argv[i + 1];
    if (takes_argument(argv[i - 1]) && i > 1) continue;
    if (word[0] != '-') {
      if (!job.tests[0]) look_for_tests(&job, word);
      continue;
    }
    if (word[1] == 'O') level = word;
    if (strncmp(word, "-flto", 5) == 0) lto = true;
    if (strcmp(word, "-fno-lto") == 0) lto = false;
    for (size_t k = 0; k < sizeof barriers / sizeof *barriers && !job.reason; k++)
      if (matches(barriers[k].option, word)) job.reason = barriers[k].reason;
  }
  if (!job.reason && lto) job.reason = "lto";
  if (!job.reason && strcmp(level, "-O2") != 0 && strcmp(level, "-O3") != 0)
    job.reason = "opt-level";
  return job;
}

/* A file that can be replaced without anyone noticing but by its contents. */
static bool is_plain_output(const char *path) {
  struct stat status;
  return lstat(path, &status) != 0 || (S_ISREG(status.st_mode) && status.st_nlink == 1);
}

static int open_capture(char *path) {
  const char *folder = setting("TMPDIR");
  if (!join_path(path, folder ? folder : "/tmp", "gccllm-XXXXXX")) return -1;
  return mkostemp(path, O_CLOEXEC);
}

int compile_main(int argc, char **argv, const char *tool) {
  struct job job = read_command(argc, argv);
  if (job.reason) {
    if (*job.reason) count_event(job.reason);
    exec_tool(tool, argv);
  }
  const char *given = setting("GCCLLM_TESTS");
  /* Its rewrites and nothing else; while they are judged again, recordings as ever. */
  const char *lock = setting("GCCLLM_LOCK_CHECK") ? NULL : setting("GCCLLM_LOCK");
  bool recorded = !lock && (given || job.tests[0]);
  bool indexed = !lock && index_open();
  if (!job.output || (!lock && !recorded && !indexed)) exec_tool(tool, argv);

  char capture[PATH_ROOM];
  bool to_stdout = strcmp(job.output, "-") == 0;
  int captured = -1;
  const char *output = job.output;
  if (to_stdout) {
    captured = open_capture(capture);
    if (captured < 0) exec_tool(tool, argv);
    output = capture;
  } else if (!is_plain_output(output)) {
    count_event("special-output");
    exec_tool(tool, argv);
  }

  int status = run_tool(tool, argv, captured);
  int deadly = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  uint64_t key;
  if (status == 0) {
    double seconds = seconds_setting("GCCLLM_DRIVER_TIMEOUT", DRIVER_SECONDS);
    if (lock) {
      const char *words[] = {"lock", output, lock, NULL};
      deadly = run_driver(words, argv, seconds, false);
    } else if (recorded) {
      const char *words[] = {"carry", output, given ? given : job.tests, NULL};
      deadly = run_driver(words, argv, seconds, false);
    } else if (fingerprint_file(output, &key) && index_contains(key)) {
      char hex[17];
      snprintf(hex, sizeof hex, "%016llx", (unsigned long long)key);
      const char *words[] = {"apply", output, hex, NULL};
      deadly = run_driver(words, argv, seconds, false);
    }
  }
  if (to_stdout) {
    bool copied = status == -1 || copy_to_stdout(capture);
    unlink(capture);
    /* stdout is full: the real tool says so in its own words. */
    if (!copied && !deadly) exec_tool(tool, argv);
  }
  if (deadly) die_by_signal(deadly);
  if (status == -1) exec_tool(tool, argv);
  return WEXITSTATUS(status);
}
