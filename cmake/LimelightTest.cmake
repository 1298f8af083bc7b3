# limelight_test(NAME source...): a GoogleTest program, one ctest entry per test case.
find_package(GTest REQUIRED)
include(GoogleTest)

# Debian's own Python, for which Debian's python3-numpy is; another one may come first on PATH.


function(limelight_test name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE limelight_internal limelight_test_support GTest::gtest_main
                                        GTest::gmock)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  gtest_discover_tests(${name} TEST_PREFIX "${name}." DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
