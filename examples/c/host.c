/* `readings.c` on the host. */

#include <stdio.h>

#include "readings.h"

void machine_print(const char *text) { fputs(text, stdout); }

int main(void) { return readings_main(); }
