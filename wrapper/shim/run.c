/* Child processes: the real tool as if we were not there, and Python on a short leash. */
#define _GNU_SOURCE
#include "shim.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const int forwarded[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
#define FORWARDED (sizeof forwarded / sizeof *forwarded)
#define GRACE_SECONDS 2.0

void exec_tool(const char *tool, char **argv) {
  execv(tool, argv);
  fprintf(stderr, "gcc-llm: error: cannot run '%s': %s\n", tool, strerror(errno));
  exit(1);
}

void die_by_signal(int number) {
  /* The real tool has dumped core if it wanted to; a core of the shim would replace that. */
  struct rlimit none = {0, 0};
  sigset_t set;
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  sigemptyset(&set);
  sigaddset(&set, number);
  kill(getpid(), number);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
  _exit(128 + number);
}

static volatile sig_atomic_t tool_pid;

static void forward(int number) {
  int before = errno;
  if (tool_pid > 0) kill(tool_pid, number);
  errno = before;
}

int run_tool(const char *tool, char **argv, int stdout_fd) {
  sigset_t all, before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  for (size_t i = 0; i < FORWARDED; i++) {
    struct sigaction old, new = {.sa_handler = forward};
    /* nohup make: what is ignored stays ignored. */
    if (sigaction(forwarded[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
      sigaction(forwarded[i], &new, NULL);
  }
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    for (size_t i = 0; i < FORWARDED; i++) {
      struct sigaction old;
      if (sigaction(forwarded[i], NULL, &old) == 0 && old.sa_handler == forward)
        signal(forwarded[i], SIG_DFL);
    }
    /* kill -9 of the compiler ends the compiler, also when it has a shim in front. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    if (stdout_fd >= 0) dup2(stdout_fd, STDOUT_FILENO);
    sigprocmask(SIG_SETMASK, &before, NULL);
    execv(tool, argv);
    fprintf(stderr, "gcc-llm: error: cannot run '%s': %s\n", tool, strerror(errno));
    _exit(1);
  }
  tool_pid = child;
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (child < 0) return -1;
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return -1;
  tool_pid = 0;
  return status;
}

static double now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

/* Not "-m gccllm.driver": runpy alone costs as much as Python itself. */
static char driver_code[] =
    "import sys\n"
    "try:\n"
    "    from gccllm.driver import main\n"
    "except ImportError:\n"
    "    sys.exit(127)\n"
    "sys.exit(main(sys.argv[1:]))\n";

static _Noreturn void become_driver(const char *const *words, char **argv, bool talkative) {
  size_t count = 0, given = 0, at = 0;
  while (words[count]) count++;
  while (argv[given]) given++;
  char **full = calloc(count + given + 8, sizeof *full);
  char *python = find_python();
  if (!full) _exit(126);
  static char isolated[] = "-I", command[] = "-c", end[] = "--";
  full[at++] = python;
  full[at++] = isolated;
  full[at++] = command;
  full[at++] = driver_code;
  for (size_t i = 0; i < count; i++) full[at++] = strdup(words[i]);
  full[at++] = end;
  for (size_t i = 1; i <= given; i++) full[at++] = argv[i - 1];
  int empty = open("/dev/null", O_RDWR);
  if (empty < 0) _exit(126);
  dup2(empty, STDIN_FILENO);
  /* gcc-llm says nothing that gcc would not say; stdout may be the unit itself (-S -o -). What the
   * user has to know all the same (an option that makes no sense) goes to a descriptor of its own. */
  if (strcmp(words[0], "link") == 0) {
    char number[16];
    snprintf(number, sizeof number, "%d", dup(STDERR_FILENO));
    setenv("GCCLLM_STDERR", number, 1);
  }
  if (!talkative) dup2(empty, STDERR_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  if (empty > STDERR_FILENO) close(empty);
  setenv("GCCLLM_ACTIVE", "1", 1);
  execvp(python, full);
  _exit(127);
}

/* Wait for a child of our own group until the deadline. Returns true when it has ended; *deadly
 * gets the first forwarded signal that came meanwhile, which ends the waiting. */
static bool wait_until(pid_t child, const sigset_t *set, double deadline, int *status,
                       int *deadly) {
  for (;;) {
    pid_t ended = waitpid(child, status, WNOHANG);
    if (ended == child) return true;
    if (ended < 0 && errno != EINTR) {
      *status = 0;
      return true;
    }
    double left = deadline - now();
    if (left <= 0) return false;
    struct timespec pause = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    int number = sigtimedwait(set, NULL, &pause);
    if (number > 0 && number != SIGCHLD) {
      *deadly = number;
      return false;
    }
  }
}

int run_driver(const char *const *words, char **argv, double seconds, bool talkative) {
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  for (size_t i = 0; i < FORWARDED; i++) {
    struct sigaction old;
    if (sigaction(forwarded[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
      sigaddset(&set, forwarded[i]);
  }
  sigprocmask(SIG_BLOCK, &set, &before);
  signal(SIGCHLD, SIG_DFL);
  bool verbose = setting("GCCLLM_VERBOSE") != NULL;
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    for (size_t i = 0; i < FORWARDED; i++)
      if (sigismember(&set, forwarded[i])) signal(forwarded[i], SIG_DFL);
    signal(SIGTTOU, SIG_IGN); /* a progress line from a background group must not stop it */
    sigprocmask(SIG_SETMASK, &before, NULL);
    become_driver(words, argv, verbose || (talkative && isatty(STDERR_FILENO)));
  }
  if (child < 0) {
    sigprocmask(SIG_SETMASK, &before, NULL);
    count_event("driver-crashed");
    return 0;
  }
  setpgid(child, child);
  int status = 0, deadly = 0, ignored = 0;
  bool ended = wait_until(child, &set, now() + seconds, &status, &deadly);
  if (!ended) {
    kill(-child, deadly ? deadly : SIGTERM);
    if (!wait_until(child, &set, now() + GRACE_SECONDS, &status, &ignored)) {
      kill(-child, SIGKILL);
      waitpid(child, &status, 0);
    }
  }
  kill(-child, SIGKILL); /* what it left behind in its group */
  sigprocmask(SIG_SETMASK, &before, NULL);
  if (deadly) return deadly;
  if (!ended || WIFSIGNALED(status))
    count_event("driver-killed");
  else if (WEXITSTATUS(status) == 127)
    count_event("no-python");
  else if (WEXITSTATUS(status) != 0)
    count_event("driver-crashed");
  return 0;
}

/* The parent of a process, from /proc; 0 when it is gone. */
static pid_t parent_of(const char *number) {
  char path[64], line[512];
  if (snprintf(path, sizeof path, "/proc/%.20s/stat", number) < 0) return 0;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t size = read(file, line, sizeof line - 1);
  close(file);
  if (size <= 0) return 0;
  line[size] = '\0';
  char *name_end = strrchr(line, ')'); /* the name itself may hold blanks and brackets */
  int parent = 0;
  return name_end && sscanf(name_end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

void end_descendants(void) {
  /* As a subreaper we inherit grandchildren as their parents die, so one level is killed at a
   * time. A process that cannot be killed (stuck in the kernel) must not hang the build. */
  double deadline = now() + 5.0;
  while (now() < deadline) {
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0) continue;
    if (ended < 0 && errno == ECHILD) return;
    DIR *folder = opendir("/proc");
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));)
      if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == getpid())
        kill(atoi(entry->d_name), SIGKILL);
    closedir(folder);
    nanosleep(&(struct timespec){0, 2000000}, NULL);
  }
}

bool copy_to_stdout(const char *path) {
  char block[65536];
  ssize_t got = -1;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  while ((got = read(file, block, sizeof block)) > 0) {
    for (ssize_t done = 0; done < got;) {
      ssize_t put = write(STDOUT_FILENO, block + done, (size_t)(got - done));
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        close(file);
        return false;
      }
      done += put;
    }
  }
  close(file);
  return got == 0;
}
