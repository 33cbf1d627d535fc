# SPDX-License-Identifier: Apache-2.0
# Headers the core needs: nlohmann/json and tl::expected. Installed packages first, a pinned download for people without them.
# Both are header-only and are copied into the build folder: for a cross build, /usr/include on the path would bring the host's libc along.
include(FetchContent)

function(weighbridge_header_library name header fetch_url fetch_hash)
  find_path(WEIGHBRIDGE_${name}_DIR ${header} PATHS /usr/local/include /usr/include /opt/homebrew/include NO_CMAKE_FIND_ROOT_PATH)
  set(destination ${CMAKE_BINARY_DIR}/_headers/${name})
  get_filename_component(folder ${header} DIRECTORY)
  if(WEIGHBRIDGE_${name}_DIR)
    file(COPY ${WEIGHBRIDGE_${name}_DIR}/${folder} DESTINATION ${destination})
  else()
    message(STATUS "${name}: not installed, downloading")
    FetchContent_Declare(${name} URL ${fetch_url} URL_HASH SHA256=${fetch_hash})
    FetchContent_GetProperties(${name})
    if(NOT ${name}_POPULATED)
      FetchContent_Populate(${name})
    endif()
    file(COPY ${${name}_SOURCE_DIR}/include/${folder} DESTINATION ${destination})
  endif()
  add_library(weighbridge_${name} INTERFACE)
  target_include_directories(weighbridge_${name} SYSTEM INTERFACE ${destination})
endfunction()

weighbridge_header_library(json nlohmann/json.hpp
  https://github.com/nlohmann/json/releases/download/v3.11.2/include.zip
  e5c7a9f49a16814be27e4ed0ee900ecd0092bfb7dbfca65b5a421b774dd09a81)
weighbridge_header_library(expected tl/expected.hpp
  https://github.com/TartanLlama/expected/archive/refs/tags/v1.0.0.tar.gz
  8f5124085a124113e75e3890b4e923e3a4de5b26a973b891b3deb40e19c03cee)
