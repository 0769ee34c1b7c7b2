/* The same program for a board and for the host. */

/* Collects readings and sends aggregates, all of which it prints. Returns 0 if nothing failed. */
int readings_main(void);

/* Prints a text. Each machine has its own. */
void machine_print(const char *text);
