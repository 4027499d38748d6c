/* Where things are: the real tool, the interpreter, the store. */
#define _GNU_SOURCE
#include "shim.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

const char *setting(const char *name) {
  const char *value = getenv(name);
  return value && *value ? value : NULL;
}

double seconds_setting(const char *name, double otherwise) {
  const char *text = setting(name);
  if (!text) return otherwise;
  char *end;
  double value = strtod(text, &end);
  return *end == '\0' && value >= 0 && value < 1e6 ? value : otherwise;
}

bool join_path(char *out, const char *folder, const char *name) {
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') length--; /* gcc exports "…/12/" to collect2 */
  int size = snprintf(out, PATH_ROOM, "%.*s/%s", length ? (int)length : 1, length ? folder : ".",
                      name);
  return size > 0 && size < PATH_ROOM;
}

bool is_folder(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_self(const char *path) {
  struct stat self, other;
  return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 &&
         self.st_ino == other.st_ino && self.st_dev == other.st_dev;
}

static bool is_program(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0 &&
         !is_self(path);
}

/* What follows the last entry of COMPILER_PATH that holds this very shim: gcc's own order of
 * search. NULL when we are in none of them (found through -B). */
static const char *entries_after_ours(const char *name) {
  const char *entry = getenv("COMPILER_PATH"), *found = NULL;
  char path[PATH_ROOM], folder[PATH_ROOM];
  while (entry) {
    const char *end = strchrnul(entry, ':');
    size_t size = (size_t)(end - entry);
    if (size < sizeof folder) {
      memcpy(folder, entry, size);
      folder[size] = '\0';
      if (join_path(path, folder, name) && is_self(path)) found = *end ? end + 1 : "";
    }
    entry = *end ? end + 1 : NULL;
  }
  return found;
}

#ifndef KNOWN_TOOLS /* compiled by hand: no gcc is known, so each is asked */
#define KNOWN_GCC_SIZE 0
#define KNOWN_GCC_TIME 0
#define KNOWN_TOOLS ""
#endif

/* Whether the gcc that runs us is the one that this shim was built with (scripts/build-shim). */
static bool is_known_gcc(void) {
  const char *gcc = setting("COLLECT_GCC");
  const char *rest = setting("PATH");
  char path[PATH_ROOM], folder[PATH_ROOM];
  struct stat status;
  if (!gcc) return false;
  if (strchr(gcc, '/')) rest = NULL;
  bool found = !rest && stat(gcc, &status) == 0;
  while (!found && rest && *rest) {
    const char *end = strchrnul(rest, ':');
    size_t size = (size_t)(end - rest);
    if (size < sizeof folder) {
      memcpy(folder, rest, size);
      folder[size] = '\0';
      found = join_path(path, size ? folder : ".", gcc) && access(path, X_OK) == 0 &&
              stat(path, &status) == 0 && S_ISREG(status.st_mode);
    }
    rest = *end ? end + 1 : NULL;
  }
  return found && status.st_size == KNOWN_GCC_SIZE && status.st_mtime == KNOWN_GCC_TIME;
}

/* The last resort: gcc's own answer, with our entries taken out of COMPILER_PATH. */
static char *ask_gcc(const char *name, const char *rest) {
  static char answer[PATH_ROOM];
  const char *gcc = setting("COLLECT_GCC");
  char option[128];
  int ends[2];
  if (!gcc || snprintf(option, sizeof option, "-print-prog-name=%s", name) >= (int)sizeof option ||
      pipe2(ends, O_CLOEXEC) != 0)
    return NULL;
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    if (rest && *rest)
      setenv("COMPILER_PATH", rest, 1);
    else
      unsetenv("COMPILER_PATH");
    execlp(gcc, gcc, option, (char *)NULL);
    _exit(127);
  }
  close(ends[1]);
  size_t size = 0;
  ssize_t got;
  while (child > 0 && size + 1 < sizeof answer &&
         (got = read(ends[0], answer + size, sizeof answer - 1 - size)) > 0)
    size += (size_t)got;
  close(ends[0]);
  if (child > 0) waitpid(child, NULL, 0);
  answer[size] = '\0';
  answer[strcspn(answer, "\n")] = '\0';
  return strchr(answer, '/') && is_program(answer) ? answer : NULL;
}

char *find_real_tool(const char *name) {
  static char path[PATH_ROOM];
  char folder[PATH_ROOM];
  const char *rest = entries_after_ours(name);
  for (const char *entry = rest; entry && *entry;) {
    const char *end = strchrnul(entry, ':');
    size_t size = (size_t)(end - entry);
    if (size < sizeof folder) {
      memcpy(folder, entry, size);
      folder[size] = '\0';
      if (join_path(path, folder, name) && is_program(path)) return path;
    }
    entry = *end ? end + 1 : NULL;
  }
  /* gcc exports this before it runs cc1; cc1 and collect2 live beside lto-wrapper. */
  const char *wrapper = setting("COLLECT_LTO_WRAPPER");
  const char *slash = wrapper ? strrchr(wrapper, '/') : NULL;
  if (slash && (size_t)(slash - wrapper) < sizeof folder) {
    memcpy(folder, wrapper, (size_t)(slash - wrapper));
    folder[slash - wrapper] = '\0';
    if (join_path(path, folder, name) && is_program(path)) return path;
  }
  /* With -c gcc exports no such thing. */
  if (is_known_gcc() && join_path(path, KNOWN_TOOLS, name) && is_program(path)) return path;
  return ask_gcc(name, rest);
}

/* A console script's interpreter: from `#!/path/python`, or, where pip found that path too long or
 * to hold a blank, from the second line `'''exec' "/path/python" "$0" "$@"` of a #!/bin/sh. */
static char *interpreter_of(const char *script) {
  static char head[PATH_ROOM];
  int file = open(script, O_RDONLY | O_CLOEXEC);
  if (file < 0) return NULL;
  ssize_t size = read(file, head, sizeof head - 1);
  close(file);
  if (size < 3 || strncmp(head, "#!", 2) != 0) return NULL;
  head[size] = '\0';
  char *start = strstr(head, "'''exec' ");
  if (start && strncmp(head, "#!/bin/sh", 9) == 0) {
    start += strlen("'''exec' ");
    start[strcspn(start, "\n")] = '\0';
    if (*start == '"') {
      start++;
      start[strcspn(start, "\"")] = '\0';
    } else {
      start[strcspn(start, " \t")] = '\0';
    }
  } else {
    start = head + 2 + strspn(head + 2, " \t");
    start[strcspn(start, " \t\r\n")] = '\0';
  }
  return access(start, X_OK) == 0 ? start : NULL;
}

char *find_python(void) {
  static char script[PATH_ROOM];
  const char *front = setting("GCCLLM_FRONT");
  const char *slash = front ? strrchr(front, '/') : NULL;
  if (slash && (size_t)(slash - front) + sizeof "/gccllm" <= sizeof script) {
    memcpy(script, front, (size_t)(slash - front));
    strcpy(script + (slash - front), "/gccllm");
    char *found = interpreter_of(script);
    if (found) return found;
  }
  static char plain[] = "python3";
  char *given = getenv("GCCLLM_PYTHON");
  return given && *given ? given : plain;
}

bool store_folder(char *out) {
  const char *given = setting("GCCLLM_STORE");
  if (given) return snprintf(out, PATH_ROOM, "%s", given) < PATH_ROOM;
  const char *cache = setting("XDG_CACHE_HOME");
  /* The specification: a relative path there is invalid and is to be ignored. */
  if (cache && cache[0] == '/') return join_path(out, cache, "gccllm");
  const char *home = setting("HOME");
  return home && join_path(out, home, ".cache/gccllm");
}

void count_event(const char *reason) {
  char folder[PATH_ROOM], path[PATH_ROOM], line[64];
  if (!store_folder(folder) || !join_path(path, folder, "events")) return;
  int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
  if (file < 0) return;
  int size = snprintf(line, sizeof line, "%s\n", reason);
  /* One short O_APPEND write: lines of parallel compilers do not mix. A failure costs a count. */
  ssize_t written = write(file, line, (size_t)size);
  (void)written;
  close(file);
}
