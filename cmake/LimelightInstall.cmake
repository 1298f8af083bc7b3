# The library with its headers and find_package(limelight), the program, lantern and the sense grammar.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/limelight)

install(TARGETS limelight EXPORT limelightTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT limelightTargets NAMESPACE limelight:: DESTINATION ${package_folder})
install(DIRECTORY include/limelight DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
configure_package_config_file(
  cmake/limelightConfig.cmake.in ${PROJECT_BINARY_DIR}/limelightConfig.cmake
  INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/limelightConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/limelightConfig.cmake
              ${PROJECT_BINARY_DIR}/limelightConfigVersion.cmake cmake/FindDNNL.cmake
        DESTINATION ${package_folder})

install(TARGETS limelight_program RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(DIRECTORY models/lantern DESTINATION ${CMAKE_INSTALL_DATADIR}/limelight/models)
install(DIRECTORY data/senses DESTINATION ${CMAKE_INSTALL_DATADIR}/limelight/data)
