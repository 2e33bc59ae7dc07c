#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/status.h"
#include "file_store/disk_index.h"
#include "file_store/format/context.h"
#include "file_store/format/image.h"
#include "io/folder.h"

namespace drey::file {

// Writes images of the index and reads them (docs/disk-format.md, section 7).

// Writes `index` under the header's number and syncs it. The header's entries and pages are filled
// in. `most` is what was reserved: kNoSpace when the index has grown beyond it meanwhile. After a
// failure nothing is left, if it can be removed.
Status WriteImage(const Folder& folder, const Context& context, const DiskIndex& index,
                  ImageHeader header, uint64_t most);

// Gives each entry of the image to `visit`, in order. kCorrupt when it is not whole: what was given
// must then be forgotten, for an image is not taken in part.
Result<ImageHeader> ReadImage(
    const Folder& folder, const Context& context, uint64_t number,
    const std::function<void(const ImageHeader&, const IndexEntry&)>& visit);

}  // namespace drey::file
