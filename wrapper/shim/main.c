/* Which tool we stand in for is told by argv[0]. */
#define _GNU_SOURCE
#include "shim.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--gccllm-fingerprint") == 0) {
    uint64_t key;
    if (!fingerprint_file(argv[2], &key)) return 1;
    printf("%016" PRIx64 "\n", key);
    return 0;
  }
  const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
  const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "cc1";
  const char *tool = find_real_tool(name);
  if (!tool) {
    fprintf(stderr, "gcc-llm: error: cannot find gcc's own '%s'\n", name);
    return 1;
  }
  argv[0] = strdup(tool);
  if (!argv[0]) abort();
  const char *switched = getenv("GCCLLM");
  /* GCCLLM_ACTIVE is ours: set for Python, whose own calls of gcc must be plain. */
  if (getenv("GCCLLM_ACTIVE") || (switched && strcmp(switched, "off") == 0)) exec_tool(tool, argv);
  if (strcmp(name, "cc1") == 0) return compile_main(argc, argv, tool);
  if (strcmp(name, "collect2") == 0) return link_main(argc, argv, tool);
  exec_tool(tool, argv);
}
