/* SPDX-License-Identifier: MIT */
#include "unpack/bundle_file.h"

#include "base/report.h"
#include "base/system.h"
#include "exit_codes.h"

int bundle_read(handle bundle, void *bytes, size_t size, uint64_t offset, struct fault *fault)
{
    size_t got;
    oserr error = file_read(bundle, bytes, size, offset, &got);
    if (error)
        return fault_set(fault, EXIT_NO_SELF, "check the disk that the file is on", "this file cannot be read: %s",
                         system_text(error));
    if (got != size)
        return fault_set(fault, EXIT_PAYLOAD, "copy or download the file again",
                         "this file became shorter while it was read");
    return EXIT_FINE;
}
