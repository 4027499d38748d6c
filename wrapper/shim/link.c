/* As collect2: link as gcc would, then let Python look for a faster program of the same objects. */
#define _GNU_SOURCE
#include "shim.h"

#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_BUDGET 60.0
#define SPARE_SECONDS 120.0

static const char carrier[] = ".gccllm.asm";

static bool within(size_t size, uint64_t offset, uint64_t length) {
  return offset <= size && length <= size - offset;
}

/* Section `index` of an ELF64 file, copied out for its alignment. */
static bool section_at(const char *bytes, size_t size, const Elf64_Ehdr *head, uint64_t index,
                       Elf64_Shdr *out) {
  if (index > size / sizeof *out) return false;
  uint64_t offset = head->e_shoff + index * sizeof *out;
  if (offset < head->e_shoff || !within(size, offset, sizeof *out)) return false;
  memcpy(out, bytes + offset, sizeof *out);
  return true;
}

static bool carries_assembly(const char *bytes, size_t size) {
  Elf64_Ehdr head;
  Elf64_Shdr first, names, section;
  if (size < sizeof head) return false;
  memcpy(&head, bytes, sizeof head);
  if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
      head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_shentsize != sizeof section ||
      head.e_shoff == 0 || !section_at(bytes, size, &head, 0, &first))
    return false;
  /* With 65280 sections or more the true numbers stand in section 0. */
  uint64_t total = head.e_shnum ? head.e_shnum : first.sh_size;
  uint64_t strings = head.e_shstrndx == SHN_XINDEX ? first.sh_link : head.e_shstrndx;
  if (!section_at(bytes, size, &head, strings, &names) ||
      !within(size, names.sh_offset, names.sh_size))
    return false;
  for (uint64_t i = 1; i < total && section_at(bytes, size, &head, i, &section); i++)
    if (within(names.sh_size, section.sh_name, sizeof carrier) &&
        memcmp(bytes + names.sh_offset + section.sh_name, carrier, sizeof carrier) == 0)
      return true;
  return false;
}

static bool object_carries(const char *path) {
  struct stat status;
  bool found = false;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return false;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    size_t size = (size_t)status.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes != MAP_FAILED) {
      found = carries_assembly(bytes, size);
      munmap(bytes, size);
    }
  }
  close(file);
  return found;
}

/* Whether there is work, and the program's path in *output. A shared library is noted down, for
 * programs that use it, where its objects carry their assembly. */
static bool is_work(int argc, char **argv, const char **output) {
  static const char *const others[] = {"-r", "--version", "--help", "-V", "-v"};
  bool wanted = setting("GCCLLM_TESTS") || setting("GCCLLM_REPORT") || setting("GCCLLM_LOCK");
  *output = "a.out";
  for (int i = 1; i < argc; i++) {
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
      if (strcmp(argv[i], others[k]) == 0) return false;
    if (strcmp(argv[i], "-shared") == 0) wanted = false;
  }
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-o") == 0 && i + 1 < argc) *output = argv[i + 1];
  }
  for (int i = 1; i < argc && !wanted; i++) {
    size_t size = strlen(argv[i]);
    wanted = size > 2 && strcmp(argv[i] + size - 2, ".o") == 0 && object_carries(argv[i]);
  }
  return wanted;
}

static int open_up(const char *path, const struct stat *status, int kind, struct FTW *where) {
  (void)status;
  (void)where;
  if (kind == FTW_D || kind == FTW_DNR) chmod(path, 0700);
  return 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where) {
  (void)status;
  (void)kind;
  (void)where;
  remove(path);
  return 0;
}

int link_main(int argc, char **argv, const char *tool) {
  const char *output;
  struct stat made;
  if (!is_work(argc, argv, &output)) exec_tool(tool, argv);
  int status = run_tool(tool, argv, -1);
  if (status == -1) exec_tool(tool, argv);
  if (WIFSIGNALED(status)) die_by_signal(WTERMSIG(status));
  if (status != 0 || lstat(output, &made) != 0 || !S_ISREG(made.st_mode))
    return WEXITSTATUS(status);

  char folder[PATH_ROOM];
  const char *parent = setting("TMPDIR");
  if (!join_path(folder, parent ? parent : "/tmp", "gccllm-XXXXXX") || !mkdtemp(folder)) {
    count_event("no-work-folder");
    return 0;
  }
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const char *words[] = {"link", folder, NULL};
  double seconds = seconds_setting("GCCLLM_BUDGET", DEFAULT_BUDGET) + SPARE_SECONDS;
  int deadly = run_driver(words, argv, seconds, true);
  end_descendants();
  nftw(folder, open_up, 16, FTW_PHYS);
  nftw(folder, remove_one, 16, FTW_PHYS | FTW_DEPTH);
  if (deadly) die_by_signal(deadly);
  return 0;
}
