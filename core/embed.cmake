# SPDX-License-Identifier: Apache-2.0
# weighbridge_embed(TARGET file…): a library whose `weighbridge::embedded("file.json")` is that file's text, so that a program needs no
# file next to it. The text becomes string literals in a generated source.
function(weighbridge_embed target)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${target})
  set(sources)
  foreach(file IN LISTS ARGN)
    get_filename_component(path ${file} ABSOLUTE)
    list(APPEND sources ${path})
  endforeach()
  string(REPLACE ";" "|" joined "${sources}")
  add_custom_command(
    OUTPUT ${generated}/embedded.cpp
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${generated}/embedded.cpp "-DFILES=${joined}" -P ${PROJECT_SOURCE_DIR}/core/embed_files.cmake
    DEPENDS ${sources} ${PROJECT_SOURCE_DIR}/core/embed_files.cmake
    VERBATIM)
  add_library(${target} STATIC ${generated}/embedded.cpp)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/core/cli)
endfunction()
