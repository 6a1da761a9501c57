/* The same names as <linux/types.h>. */
#include <linux/types.h>
