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
        "native/node/checksum.cc",
        "native/node/error.cc",
        "native/node/key_hash.cc"
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
        "native/core/crc32c/crc32c.cc",
        "native/core/crc32c/portable.cc",
        "native/core/hash.cc"
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
