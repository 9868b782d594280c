/*
 * bcryptprimitives.dll for a wine that lacks it, as wine 8 does; every Windows has one.
 *
 * It gives all that Rust's standard library asks of it, random bytes: no recent Rust code is loaded without.
 */

/* RtlGenRandom, by the name under which advapi32.dll exports it; false on failure */
unsigned char __stdcall SystemFunction036(void *data, unsigned long size);

__declspec(dllexport) int __stdcall ProcessPrng(unsigned char *data, unsigned long long size)
{
    while (size > 0) {
        unsigned long piece = size < 65536 ? (unsigned long)size : 65536;

        if (!SystemFunction036(data, piece))
            return 0;
        data += piece;
        size -= piece;
    }
    return 1;
}

int __stdcall DllMain(void *module, unsigned long reason, void *reserved)
{
    (void)module;
    (void)reason;
    (void)reserved;
    return 1;
}
