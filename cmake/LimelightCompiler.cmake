# The compiler settings of every target of the project.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Where a fused multiply-add is wanted, the code says so (Highway's MulAdd). Contraction elsewhere
# would make results depend on the optimiser.
add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -ffp-contract=off)
# Designated initialisers leave the rest at its default, and say so by being designated.
add_compile_options(-Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False in g++ 12 wherever std::string is added to (GCC bug 105651).
  add_compile_options(-Wno-restrict)
endif()
if(LIMELIGHT_WERROR)
  add_compile_options(-Werror)
endif()
