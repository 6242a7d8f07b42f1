/* Lets user-mode Linux run on processors with AMX.
 *
 * It gives its processes their vector registers back as the first 2,696 bytes of what the processor saves
 * (PTRACE_SETREGSET, NT_X86_XSTATE). The outer kernel takes no less than all that it knows of, which is
 * 11,008 bytes with AMX's tiles, and refuses with EFAULT. So the rest is added here: zeros, since no process
 * has tiles unless it asks for them. To be preloaded (LD_PRELOAD). Nothing of it is called by two threads.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { GETREGSET = 0x4204, SETREGSET = 0x4205, XSTATE = 0x202 };

static char whole[1 << 16]; /* not on the stack, which is that of a kernel */
static size_t size;

static long set_all(long process, const struct iovec *given)
{
	struct iovec all = {whole, sizeof whole};

	if (size == 0) {
		if (syscall(SYS_ptrace, GETREGSET, process, XSTATE, &all) != 0)
			return -1;
		size = all.iov_len;
		memset(whole, 0, sizeof whole);
	}
	if (given->iov_len > size) {
		errno = EFAULT;
		return -1;
	}
	all.iov_len = size;
	memcpy(whole, given->iov_base, given->iov_len);
	return syscall(SYS_ptrace, SETREGSET, process, XSTATE, &all);
}

long ptrace(long request, ...)
{
	va_list rest;
	long process, address, data, peeked;

	va_start(rest, request);
	process = va_arg(rest, long);
	address = va_arg(rest, long);
	data = va_arg(rest, long);
	va_end(rest);
	request = (int)request;
	process = (int)process;
	if (request == SETREGSET && address == XSTATE)
		return set_all(process, (const struct iovec *)data);
	if (request < 1 || request > 3) /* PTRACE_PEEK… */
		return syscall(SYS_ptrace, request, process, address, data);
	/* The system call stores the word; the C library returns it. */
	return syscall(SYS_ptrace, request, process, address, &peeked) == 0 ? (errno = 0, peeked) : -1;
}
