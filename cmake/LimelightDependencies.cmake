# Every third-party part, found once. Debian package names are listed in script/bootstrap.
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(hwy REQUIRED)
find_package(DNNL REQUIRED MODULE)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
# Debian's own, whose NumPy the package and the tests use.
find_program(LIMELIGHT_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED)
