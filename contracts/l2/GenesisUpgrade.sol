// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.28;

/// Code that is put at an address without a creation. The deployer knows it by the BLAKE2s hash of its bytes.
struct ForceDeployment {
    address at;
    bytes32 codeHash;
    uint32 codeLength;
    /// keccak256 of the code.
    bytes32 observableHash;
}

interface IContractDeployer {
    function setBytecodeDetailsEVM(address at, bytes32 codeHash, uint32 codeLength, bytes32 observableHash) external;
}

interface IChainInfo {
    function initialize(uint256 l1ChainId, address bridgehub) external;
}

/// Lives at 0x10001 from genesis on. Its code runs in the context of the upgrader, as first transaction of the chain.
contract GenesisUpgrade {
    address private constant DEPLOYER = address(0x8006);

    error WrongChain(uint256 expected, uint256 actual);
    error NotZKsyncOS();
    error ForceDeploymentFailed(address at);

    /// `fixedData`: the deployments and the address of ChainInfo; `chainData`: L1 chain id and Bridgehub.
    function genesisUpgrade(
        bool isZKsyncOS,
        uint256 chainId,
        address,
        bytes calldata fixedData,
        bytes calldata chainData
    ) external {
        if (!isZKsyncOS) revert NotZKsyncOS();
        if (chainId != block.chainid) revert WrongChain(chainId, block.chainid);
        (ForceDeployment[] memory deployments, address chainInfo) = abi.decode(fixedData, (ForceDeployment[], address));
        for (uint256 i = 0; i < deployments.length; i++) {
            ForceDeployment memory deployment = deployments[i];
            // The deployer is part of the system and has no code: a typed call would refuse it.
            (bool success, ) = DEPLOYER.call(
                abi.encodeCall(
                    IContractDeployer.setBytecodeDetailsEVM,
                    (deployment.at, deployment.codeHash, deployment.codeLength, deployment.observableHash)
                )
            );
            if (!success) revert ForceDeploymentFailed(deployment.at);
        }
        (uint256 l1ChainId, address bridgehub) = abi.decode(chainData, (uint256, address));
        IChainInfo(chainInfo).initialize(l1ChainId, bridgehub);
    }
}
