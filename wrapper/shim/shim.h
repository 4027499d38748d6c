/* gccllm's shim: stands in for gcc's cc1 and collect2, found by gcc through COMPILER_PATH.
 *
 * Contract: whatever goes wrong in here or in Python, the user gets the real tool's exit status,
 * output and messages. argv is never changed but for argv[0], which becomes the real tool's path
 * (what gcc itself would have written there).
 */
#ifndef GCCLLM_SHIM_H
#define GCCLLM_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PATH_ROOM 4352

/* paths.c */
/* Join into out (PATH_ROOM bytes); false when it does not fit. */
bool join_path(char *out, const char *folder, const char *name);
bool is_folder(const char *path);
/* The program that gcc would have run in our place; NULL when there is none. */
char *find_real_tool(const char *name);
/* The interpreter that gccllm is installed in; a bare "python3" is looked up on PATH. */
char *find_python(void);
/* The store's folder: $GCCLLM_STORE, or gccllm in the user's cache folder. */
bool store_folder(char *out);
/* Append one line to the store's events file; silently nothing where there is no store. */
void count_event(const char *reason);
/* A set and non-empty environment variable, or NULL. */
const char *setting(const char *name);
/* A number of seconds from the environment, or the default where it is missing or no number. */
double seconds_setting(const char *name, double otherwise);

/* run.c */
_Noreturn void exec_tool(const char *tool, char **argv);
_Noreturn void die_by_signal(int number);
/* Run the real tool to its end, forwarding signals; stdout_fd >= 0 becomes its stdout.
 * Returns the status of waitpid(2), -1 when it could not be started. */
int run_tool(const char *tool, char **argv, int stdout_fd);
/* Run `python -I -m gccllm.driver WORDS… -- ARGV…` with a deadline in seconds and an empty stdin.
 * Returns 0, or the signal that the caller has to die of once it has cleaned up. */
int run_driver(const char *const *words, char **argv, double seconds, bool talkative);
/* Kill and reap everything that is still below this process. */
void end_descendants(void);
bool copy_to_stdout(const char *path);

/* fingerprint.c */
uint64_t fingerprint_text(const char *text, size_t size);
bool fingerprint_file(const char *path, uint64_t *result);
bool index_open(void);
bool index_contains(uint64_t key);

/* compile.c, link.c: the two faces */
int compile_main(int argc, char **argv, const char *tool);
int link_main(int argc, char **argv, const char *tool);

#endif
