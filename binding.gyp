{
  # What every target of ours is compiled with. docs/reference/native.md says why, flag by flag.
  "target_defaults": {
    "include_dirs": ["native"],
    "cflags": ["-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"],
    "cflags_cc": ["-std=c++20", "-fno-exceptions", "-fno-rtti", "-fvisibility-inlines-hidden"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
    "configurations": {"Release": {"defines": ["NDEBUG"]}},
    "conditions": [
      ["OS=='linux'", {
        "cflags_cc": [
          "-ffunction-sections", "-fdata-sections",
          # GCC's alone; clang, which needs no such flag, refuses it.
          "<!@(echo | ${CXX:-g++} -fno-gnu-unique -x c++ -fsyntax-only - 2>/dev/null && echo -fno-gnu-unique || true)"
        ]
      }]
    ],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "CLANG_CXX_LIBRARY": "libc++",
      "GCC_ENABLE_CPP_EXCEPTIONS": "NO",
      "GCC_ENABLE_CPP_RTTI": "NO",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "GCC_INLINES_ARE_PRIVATE_EXTERN": "YES",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "WARNING_CFLAGS": ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Werror"]
    }
  },

  "targets": [
    {
      "target_name": "drey",
      "sources": [
        "native/node/addon.cc",
        "native/node/arguments.cc",
        "native/node/block.cc",
        "native/node/buffers.cc",
        "native/node/checksum.cc",
        "native/node/error.cc",
        "native/node/file_draft.cc",
        "native/node/file_put.cc",
        "native/node/file_find.cc",
        "native/node/file_scan.cc",
        "native/node/file_store.cc",
        "native/node/files.cc",
        "native/node/key_hash.cc",
        "native/node/file_read.cc",
        "native/node/listen.cc",
        "native/node/memory.cc",
        "native/node/memory_arguments.cc",
        "native/node/memory_body.cc",
        "native/node/memory_flight.cc",
        "native/node/memory_room.cc",
        "native/node/memory_store.cc",
        "native/node/news.cc",
        "native/node/probe.cc",
        "native/node/sockets.cc",
        "native/node/store_tags.cc",
        "native/node/values.cc"
      ],
      "dependencies": ["core"],
      "variables": {
        # As system headers, so that they need not pass our warnings.
        "system_headers": [
          "-isystem", "<(node_root_dir)/include/node",
          "-isystem", "<!(node -p \"require('path').resolve(require('node-addon-api').include_dir)\")"
        ]
      },
      "defines": [
        "NAPI_VERSION=9",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "DREY_VERSION=\"<!(node -p \"require('./package.json').version\")\""
      ],
      "cflags_cc": ["<@(system_headers)"],
      "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(system_headers)"]},
      "conditions": [
        ["OS=='linux'", {"ldflags": ["-Wl,-z,nodelete", "-Wl,--exclude-libs,ALL", "-Wl,--gc-sections"]}]
      ]
    },
    {
      "target_name": "core",
      "type": "static_library",
      "sources": [
        "native/core/clock.cc",
        "native/core/crc32c/crc32c.cc",
        "native/core/crc32c/portable.cc",
        "native/core/hash.cc",
        "native/core/tag_floors.cc",
        "native/file_store/blobs.cc",
        "native/file_store/commit_all.cc",
        "native/file_store/directory.cc",
        "native/file_store/disk_index.cc",
        "native/file_store/file_draft.cc",
        "native/file_store/file_store.cc",
        "native/file_store/file_store_read.cc",
        "native/file_store/file_store_reclaim.cc",
        "native/file_store/file_store_room.cc",
        "native/file_store/file_store_tune.cc",
        "native/file_store/file_store_write.cc",
        "native/file_store/format/blob_table.cc",
        "native/file_store/format/chunk.cc",
        "native/file_store/format/context.cc",
        "native/file_store/format/directory_header.cc",
        "native/file_store/format/image.cc",
        "native/file_store/format/metadata.cc",
        "native/file_store/format/names.cc",
        "native/file_store/format/record.cc",
        "native/file_store/format/segment_header.cc",
        "native/file_store/format/tags.cc",
        "native/file_store/image_file.cc",
        "native/file_store/lock.cc",
        "native/file_store/log_writer.cc",
        "native/file_store/open_files.cc",
        "native/file_store/reclaim_pace.cc",
        "native/file_store/recovery.cc",
        "native/file_store/file_registry.cc",
        "native/file_store/segment_reader.cc",
        "native/file_store/tag_log.cc",
        "native/file_store/turns.cc",
        "native/index/hash_index.cc",
        "native/io/completion_queue.cc",
        "native/io/env_posix.cc",
        "native/io/error.cc",
        "native/io/executor.cc",
        "native/io/file.cc",
        "native/io/folder.cc",
        "native/io/lane.cc",
        "native/io/machine_posix.cc",
        "native/io/rate_limit.cc",
        "native/io/socket_posix.cc",
        "native/io/thread.cc",
        "native/memory/arena.cc",
        "native/memory/whole_pages.cc",
        "native/memory/region.cc",
        "native/memory/size_class.cc",
        "native/memory/slab.cc",
        "native/memory/system.cc",
        "native/memory_store/draft.cc",
        "native/memory_store/entry.cc",
        "native/memory_store/entry_ref.cc",
        "native/memory_store/evictions.cc",
        "native/memory_store/flight.cc",
        "native/memory_store/mailbox.cc",
        "native/memory_store/pass.cc",
        "native/memory_store/records.cc",
        "native/memory_store/registry.cc",
        "native/memory_store/shard.cc",
        "native/memory_store/shard_body.cc",
        "native/memory_store/shard_room.cc",
        "native/memory_store/store.cc",
        "native/memory_store/store_flight.cc",
        "native/memory_store/store_host.cc",
        "native/memory_store/store_together.cc",
        "native/memory_store/wheel.cc",
        "native/policy/fifo.cc",
        "native/policy/ghost.cc",
        "native/policy/lfu.cc",
        "native/policy/lru.cc",
        "native/policy/policy.cc",
        "native/policy/s3_fifo.cc",
        "native/policy/sieve.cc",
        "native/policy/sketch.cc",
        "native/policy/w_tinylfu.cc",
        "native/policy/window_climber.cc"
      ],
      "conditions": [
        ["target_arch=='x64'", {"dependencies": ["crc32c_sse42", "crc32c_avx512"]}],
        ["target_arch=='arm64'", {"dependencies": ["crc32c_armv8"]}]
      ]
    }
  ],

  # A library for each set of instructions: its flags reach its one file and no other.
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "crc32c_sse42",
          "type": "static_library",
          "variables": {"instructions": ["-msse4.2", "-mpclmul"]},
          "sources": ["native/core/crc32c/sse42.cc"],
          "cflags_cc": ["<@(instructions)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(instructions)"]}
        },
        {
          "target_name": "crc32c_avx512",
          "type": "static_library",
          "variables": {"instructions": ["-mavx512f", "-mvpclmulqdq"]},
          "sources": ["native/core/crc32c/avx512.cc"],
          "cflags_cc": ["<@(instructions)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(instructions)"]}
        }
      ]
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "crc32c_armv8",
          "type": "static_library",
          "variables": {"instructions": ["-march=armv8-a+crc"]},
          "sources": ["native/core/crc32c/armv8.cc"],
          "cflags_cc": ["<@(instructions)"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["<@(instructions)"]}
        }
      ]
    }]
  ]
}
