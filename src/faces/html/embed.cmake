# cmake -DCONSTANT=kName -DFILES=a|b|... -DOUTPUT=c.cpp -P embed.cmake
# Joins the files and writes them as a string.

# A module becomes a function that returns what it exports: its other names stay its own, and what it
# imports is known from the modules before it.
function(module_as_script content out)
  string(REGEX REPLACE "\nimport [^\n]*" "" content "\n${content}")
  string(REGEX MATCHALL "\nexport (function|class|const) [A-Za-z_]+" exports "${content}")
  list(TRANSFORM exports REPLACE "^.* " "")
  list(JOIN exports ", " names)
  string(REGEX REPLACE "\nexport " "\n" content "${content}")
  if(names STREQUAL "")
    set(${out} "(() => {${content}})();\n" PARENT_SCOPE)
  else()
    set(${out} "const { ${names} } = (() => {${content}return { ${names} };\n})();\n" PARENT_SCOPE)
  endif()
endfunction()

string(REPLACE "|" ";" files "${FILES}")
set(text "")
foreach(file IN LISTS files)
  file(READ "${file}" content)
  if(file MATCHES "\\.js$")
    module_as_script("${content}" content)
  endif()
  string(APPEND text "${content}")
endforeach()

# Compilers promise to take string literals of 65,536 characters; pieces in a row are one literal to
# the reader and several to them.
set(pieces "")
string(LENGTH "${text}" length)
set(at 0)
while(at LESS length)
  string(SUBSTRING "${text}" ${at} 8000 piece)
  string(APPEND pieces "    R\"~~~~(${piece})~~~~\"\n")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE "${OUTPUT}" "#include \"faces/html/page_assets.h\"

namespace limelight {

const std::string_view ${CONSTANT} =
${pieces}    \"\";

}  // namespace limelight
")
