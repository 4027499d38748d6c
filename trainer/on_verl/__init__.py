"""All that touches verl: what makes it run on a CPU, and our parts in it. Pinned to one version."""
