/* x86-64 pages. */
#define PAGE_SIZE 4096
