/* Is there a rewrite of this unit? The index answers without starting Python.
 *
 * The fingerprint is 64-bit FNV-1a over a unit's instructions and label names, without the numbers
 * of local labels; gccllm/asm/normalise.py computes the same. It is only a filter: Python compares
 * the whole unit before it applies anything.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FNV_OFFSET UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
static bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static uint64_t feed(uint64_t hash, const char *bytes, const char *end) {
  for (; bytes < end; bytes++) hash = (hash ^ (unsigned char)*bytes) * FNV_PRIME;
  return hash;
}

static uint64_t feed_instruction(uint64_t hash, const char *at, const char *end) {
  const char *comment = memchr(at, '#', (size_t)(end - at));
  if (comment) end = comment;
  while (end > at && is_blank(end[-1])) end--;
  while (at < end) {
    if (end - at < 2 || at[0] != '.' || at[1] != 'L') {
      hash = feed(hash, at, at + 1);
      at++;
      continue;
    }
    const char *stop = at + 2;
    while (stop < end && is_upper(*stop)) stop++;
    hash = feed(hash, at, stop);
    for (at = stop; at < end && is_digit(*at);) at++;
  }
  return hash;
}

uint64_t fingerprint_text(const char *text, size_t size) {
  uint64_t hash = FNV_OFFSET;
  const char *end = text + size;
  for (const char *line = text; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    if (!stop) stop = end;
    size_t length = (size_t)(stop - line);
    if (length > 1 && line[0] == '\t' && is_lower(line[1])) {
      hash = feed(feed_instruction(hash, line + 1, stop), "\n", "\n" + 1);
    } else if (length > 0 && !is_blank(line[0]) && line[0] != '.' && line[0] != '#') {
      const char *colon = memchr(line, ':', length);
      if (colon) hash = feed(feed(hash, line, colon), "\n", "\n" + 1);
    }
    line = stop + 1;
  }
  return hash;
}

/* The whole of a file, read-only; NULL for an empty or unreadable one. */
static const char *map_file(const char *path, size_t *size) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return NULL;
  struct stat status;
  void *bytes = MAP_FAILED;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    *size = (size_t)status.st_size;
    bytes = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, file, 0);
  }
  close(file);
  return bytes == MAP_FAILED ? NULL : bytes;
}

bool fingerprint_file(const char *path, uint64_t *result) {
  size_t size;
  const char *text = map_file(path, &size);
  if (!text) return false;
  *result = fingerprint_text(text, size);
  munmap((void *)(uintptr_t)text, size);
  return true;
}

/* The index: "GCCLLMX1", the count, then that many sorted fingerprints, all little-endian. */
static const char magic[8] = {'G', 'C', 'C', 'L', 'L', 'M', 'X', '1'};
static const char *entries;
static uint64_t count;

static uint64_t little(const char *bytes) {
  uint64_t value = 0;
  for (int i = 7; i >= 0; i--) value = value << 8 | (unsigned char)bytes[i];
  return value;
}

bool index_open(void) {
  char folder[PATH_ROOM], path[PATH_ROOM];
  size_t size;
  if (!store_folder(folder) || !join_path(path, folder, "index")) return false;
  const char *bytes = map_file(path, &size);
  if (!bytes || size < 16 || memcmp(bytes, magic, sizeof magic) != 0) return false;
  uint64_t stated = little(bytes + 8);
  if (stated == 0 || stated != (size - 16) / 8 || (size - 16) % 8 != 0) return false;
  entries = bytes + 16;
  count = stated;
  return true;
}

bool index_contains(uint64_t key) {
  uint64_t low = 0, high = entries ? count : 0;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2, found = little(entries + 8 * middle);
    if (found == key) return true;
    if (found < key)
      low = middle + 1;
    else
      high = middle;
  }
  return false;
}
