# Written by tools/make_stubs.py; change that file or the schema, not this one.
# fmt: off
# ruff: noqa
from collections.abc import Iterable
from caffe_compat.proto.stubs.base import (Enum, Fields, Message, Messages, Scalars)
from caffe_compat.proto.stubs.from_a import (APLParameter, AUMaskBasedLandParameter, AccumParameter,
        AccumulatorLossParameter, AccuracyDistanceParameter, AccuracySigmoidParameter,
        AccuracySphereParameter, AccuracyViewParameter, AdacosAddMScaleParameter,
        AdaptiveBiasChannelParameter, AdditiveMarginInnerProductParameter, AdversarialImageDataParamater,
        AffineMatrixParameter, AffinityParameter, AnchorEmbeddingExtractorParameter, AnnotatedDataParameter,
        AnnotatedRDataParameter, ArgMaxOneParameter, AsdnDataParameter, AtariDataParameter,
        AttPoolingParameter, AttentionDataParameter, AugmentationParameter, AxisPoolingParameter,
        BBTXTBBParameter, BBTXTParameter, BBoxRegParameter, BNConvParameter, BNParameter, BReLUParameter,
        BTCostVolumeParameter, BatchContrastiveParameter, BatchPairingParameter, BatchParameter,
        BatchReductionParameter, BdctToSpatialParameter, BeamSearchParameter, BiasChannelParameter,
        BilinearPatchParameter, BinaryAccuracyParameter, BinaryDataParameter, BinaryLabelParameter,
        BinomialDevianceLossParameter, BlackAugmentationParameter, BlockGroupLassoSpec, BofParameter,
        BoxAnnotatorOHEMParameter, BoxGroupOutputParameter, BoxOutputParameter, BoxParameter,
        BoxTermParameter, BroadEltParameter, CCCPParameter, CConvolutionParameter, CEuclideanLossParameter,
        CInnerProductParameter, CMDLossParameter, CPMDataParameter, CPMTransformationParameter,
        CPPLayerParameter, CTCDecoderParameter, CTCParameter, CapParameter, CapsuleConvParameter,
        CapsuleConvRoutingParameter, CapsuleConvTransformParameter, CapsuleDeconvParameter,
        CapsuleDeconvRoutingParameter, CapsuleDeconvTransformParameter, CapsuleLenParameter,
        CapsuleMaskParameter, CapsuleProductParameter, CapsuleReluParameter, CapsuleReshapeParameter,
        CapsuleRoutingParameter, CapsuleTransformParameter, CarcontParameter, CensorLabelParameter,
        CenterDistanceParameter, CenterLossParameter, ChannelAggregatorParameter, ChannelDropoutParameter,
        ChannelReduceParameter, ChannelScaleParameter, ClassDistanceParameter, CoeffScheduleParameter,
        ColinearConvolutionParameter, ColorConvParameter, ColorTransferParameter, CombinationParameter,
        CombineLossParameter, CompactBilinearParameter, CompileNetState, CompressParameter,
        ConfidencePenaltyLossParameter, ConstScaleParameter, ConstrainIPParameter,
        ContinuationIndicatorParameter, Convolution3DParameter, ConvolutionCRParameter, ConvupsampleParameter,
        CornerCropParameter, CorrelationParameter, CorrelativeFiltersParameter, CosDataParameter,
        CosinAddmParameter, CosinMulmParameter, CosineSimilarityBatchParameter, CoupledClusterLossParameter,
        CropCenterParameter, CropPoolingParameter, CrossEntropyLossParameter,
        CrossInputNeighborhoodDiffsParameter, CtcLossParameter, DCTParameter, DNSConvolutionParameter,
        DNSInnerProductParameter, DataAlignParameter, DataAugmentParameter, DecodeBBoxParameter,
        DecoderParameter, DeformableConvolutionParameter, DeformablePSROIPoolingParameter,
        DenseBlockParameter, DenseCRFParameter, DenseFaceImageDataParameter, DenseImageDataParameter,
        DensecrfParameter, DetectNetAugmentationParameter, DetectNetGroundTruthParameter,
        DetectionAccuracyParameter, DetectionDataParameter, DetectionEvaluateParameter,
        DetectionGroupAccuracyParameter, DetectionGroupLossParameter, DetectionLossParameter,
        DetectionOutputParameter, DetectionOutputPboxParameter, DetectionPboxEvaluateParameter,
        DetectmapDataParameter, DiceCoefLossParameter, DistLossParameter, DistortionParameter,
        DivisionParameter, DocDataParameter, DomainTransformParameter, DominantChannelParameter,
        DotProductParameter, DownSamplingParameter, DownsampleParameter)
from caffe_compat.proto.stubs.from_d import (DSALossParameter, DownsamplingParameter, DriveDataParameter,
        DropBlockParameter, DtowParameter, DuplicateParameter, DynamicRoutingParameter, EleOptParameter,
        EltwiseAccuracyParameter, EltwiseAffineParameter, EltwiseDivisionLayerParameter,
        EltwiseWithFillerParameter, EmitConstraint, EntropyBottleneckParameter, EntropyLossParameter,
        EntropyPackParameter, EuclideanLossParameter, EuclideanParameter, EuclideanWeightLossParameter,
        EuclideanWithTvParameter, EvalDataParameter, EvalDetectionParameter, ExpMaxParameter,
        ExpansionParameter, FAPPYLossParameter, FCNDataParameter, FaceImageParameter, FakeEmbedJpegParameter,
        FakeEmbedSpatialParameter, FeatureDecayLossParameter, FeatureRegistrationParameter, FidaConvParameter,
        FilterMapParameter, FilterParameter, FlipParameter, Float2IntParameter, FlowWarpParameter,
        FocalLossParameter, FoldingParameter, ForceRegular, FramesRollParameter, FrcnnOutputParameter,
        GANLossParameter, GDNParameter, GMMLossParameter, GNParameter, GRIDPoolingParameter, GRNParameter,
        GainChannelParameter, GatherParameter, GenSlicinfoParameter, GeneralContrastiveParameter,
        GeneralTripletParameter, GeneralizedHingeLossParameter, GetRetionParameter, GradientScalerParameter,
        GraphLinkageLossParameter, GridSplatLayerParameter, GroupNormParameter, GuidedDropoutParameter,
        HPDFDTransformationParameter, HSROIPoolingParameter, HadamardProductParameter, HardMiningParameter,
        HashingLossParameter, HeatmapDataParameter, HexAccuracyParameter, HexLossParameter, HexScoreParameter,
        HistogramParameter, HoGParameter, HoleConvolutionParameter, HotspotParameter, HungarianLossParameter,
        HyperColumnsParameter, INQConvolutionParameter, INQInnerProductParameter, IOUAccuracyParameter,
        IgnoreOverlayParameter, Im2distParameter, Im2parityParameter, Im2seqParameter, ImResizeParameter,
        ImageDataSteganalysisJpegDctParameter, ImageDataSteganalysisSpatialParameter, ImageFloatDataParameter,
        ImageGtDataParameter, ImageLabelDataParameter, ImageMultiLabelDataParameter, ImageOutputParameter,
        ImageTransformationParameter, ImagedbDataParameter, ImgResizeParameter, ImgSizeParameter,
        ImpMapParameter, ImwriteParameter, IncrementalDataParameter, IndicatorDataParameter,
        InfimumLossParamter, InnerDistanceParameter, InnerProductBlobParameter, InsanityParameter,
        InstanceIDParameter, InterpParameter, IntersectionOverUnionParameter, IntranormParameter,
        JMMDParameter, KernelLossParameter, KeypointAccParameter, L1LossKittiParameter, L1LossParameter,
        LSTMConvolutionParameter, LSTMDebugParameter, LSTMParameter, LabelExpansionParameter,
        LabelSmoothParameter, LabelSpecificAddParameter, LabelSpecificAffineParameter,
        LabelSpecificHardMarginParameter, LabelSpecificMarginParameter, LabelSpecificRescaleParameter,
        LabelSplitParameter, LabeledMatchingParameter, LabelsequenceAccuracyParameter,
        LargeMarginInnerProductParameter, LatentGaussianParameter, LayerPSTablePair, LayerSnapshotParameter,
        LiftedStructSimilaritySoftmaxLossParameter, LinearQuantParameter, LinearTransformParameter,
        LmeLossParameter, LocLossParameter, LocalParameter, LocalWeightedConvolutionParameter,
        LogLikelihoodLossParameter, LotParameter, LowlevelDistanceParameter, LpqLossParameter,
        LstmUnitParameter, MCWindowDataParameter, MEXParameter, MILDataParameter, MILParameter,
        MLQuantParameter, MMDParameter, MOEParameter, ManualCropParameter, MappingParameter,
        MarginInnerProductParameter, MarginParameter, MarginSoftmaxLossParameter, MaskResizeParameter,
        MatReadParameter, MatWriteParameter, MatchLossParameter, MeanLossParameter, MeanParameter,
        MemoryOptimizationParameter, MergeCropParameter, MergeParameter, MinReLUParameter, MixedPredParameter,
        MixupParameter, MnActivationParameter, MnParamGradCompressParameter, ModuleParameter)
from caffe_compat.proto.stubs.from_m import (MReLUParameter, MTCNNDataParameter, MsplitParameter,
        MtluParameter, MtransposeParameter, MulToBinParameter, MultiAccuracyParameter, MultiBoxLossParameter,
        MultiLabelAccuracyParameter, MultiLabelSoftmaxLoss, MultiModalBatchNormParameter,
        MultiPBoxLossParameter, MultiProtoParameter, MultiRBoxLossParameter,
        MultiSigmoidCrossEntropyLossParameter, MultiSoftmaxLossParameter, MultiSoftmaxParameter,
        MultiStageMeanfieldParameter, MultiViewParameter, MultidataParameter, MultinodeLayerParameter,
        MultinodeParameter, MyReshapeParameter, MyTileParameter, NAMCWindowDataParameter, NCAParameter,
        NLUParameter, NNDownsampleParameter, NNPACKConvolutionParameter, NNUpsampleParameter,
        NeighborhoodUnfoldingParameter, NetvladParameter, NmsParameter, NoiseDataParameter, NoiseParameter,
        NoisyTransParameter, NonlocalParameter, NormConvMeanfieldParameter, NormConvParameter,
        NormL2Parameter, NormLossParameter, NormalizeParameter, OPTransformationParameter, OctreeParameter,
        OneHotParameter, OnlineBatchRelationLossParameter, OpflowWarpParameter, OrdinalRegressionParameter,
        OrthogonalConstraintParameter, OuterProductParameter, OutputDecayParameter, PPowerParameter,
        PSROIAlignParameter, PSROIPoolingParameter, PackChannelParameter, PackDataParameter, PaddingParameter,
        PairCoordinateDataParameter, PairDataParameter, PairWiseSampleLossParameter, PairwiseParameter,
        PairwiseRankingHingeLossParameter, ParseEvaluateParameter, PartSortParameter, PatchParameter,
        PeriodicLossParameter, PeriodicShuffleParameter, PermutationParameter, PermuteParameter,
        PicpacParameter, PifaDataParameter, Plus1LossParameter, PointwiseAttendParameter, Pooling3DParameter,
        PoolingNDParameter, PoseAccuracyParameter, PoseDataParameter, PowerFileParameter, PredictBoxParameter,
        PriorBoxParameter, PriorPBoxParameter, PriorRBoxParameter, ProjectiveMatrixParameter,
        ProjectiveTransformerParameter, ProposalParameter, ProposalTargetParameter,
        PseudoLabelCrossEntropyLossParameter, PyParameter, QuantAccuracyParameter, QuantTruncAbsParameter,
        Quant_TrunParameter, QuantileL1LossParameter, QuantizationParameter, QuantizerParameter,
        QuartetLossParameter, QueuePredictionDataParameter, RCSParameter, RDetectionEvaluateParameter,
        RDetectionOutputParameter, RNNDropoutParameter, ROIAlignParameter, ROIMaskPoolingParameter,
        ROIPoolingParameter, ROIWarpingParameter, RPNParameter, RReLUParameter, RandVecParameter,
        RandomAspectRatioParameter, RandomMaclaurionParameter, RandomResizeParameter, RankHardLossParameter,
        RankNoisyTransParameter, RankParameter, RankingLossParameter, ReNetLSTMParameter, ReaderParameter,
        RedAccuracyParameter, RedSoftmaxWithLossParameter, ReduceParameter, RegionConvolutionParameter,
        RegionLossParameter, RegionParameter, RegularizationParameter, RelevanceConstraintParameter,
        ReorgParameter, RepMatParameter, ResampleParameter, RescaleParameter, ResizeParameter,
        ReverseParameter, ReverseTimeParameter, RotateTransformerParameter, RoundParameter,
        RunningAverageParameter, RuntimeParameter, ScalarParameter, ScaleFilterParameter, ScaleFlagsParameter,
        ScaleRouteParameter)
from caffe_compat.proto.stubs.from_s import (SFParameter, SSDDataParameter, SSDParameter, SSIMLossParameter,
        STLossParameter, ScaleTanHParameter, Scene3DDataParameter, SeLUDropoutParameter, SeLUParameter,
        SegAccuracyParameter, SegDataParameter, SegParameter, SegmentationEvaluateParameter,
        SelectSegBinaryParameter, SequenceAccuracyParameter, SetLoss2Parameter, SetLossParameter,
        ShapeTermParameter, ShuffleChannelParameter, SimilarityLossParameter, SimilarityParameter,
        SliceLabelParameter, SliceMapParameter, SlicingPatameter, SlidingWindowParameter,
        SmoothL1LossParameter, SmoothL1Parameter, SmoothMarginInnerProductParameter, SoftContrastiveParameter,
        SoftTruncationParameter, SoftmaxLossParameter, SoftmaxNoisyLabelLossParameter,
        SoftmaxPosNegWithLossParameter, SoftmaxWithLossVecParameter, SoftmaxWithSphereLossParameter,
        SoftmaxWithViewLossParameter, SortParameter, SparseHypercolumnExtractorParameter, SparsifyParameter,
        SparsityLossParameter, SpatialDropoutParameter, SpatialTransformerLossParameter,
        SpatialTransformerParameter, SpliceParameter, SplitMergeParameter, SplitParameter, SquashParameter,
        StdPseudoLabelEntropyLossParameter, StructureMeasureParameter, SubRegionParameter,
        SubpixelDownParameter, SubpixelUpParameter, SubtractionParameter, SumLossParameter,
        SumPoolingParameter, SuperpixelPoolingParameter, SymmetricRectifyParameter, TRTParameter,
        TilingParameter, TransferParameter, TranslationParameter, TransposeParameter, TriVerLossParameter,
        TripletClipHingeLossParameter, TripletConstraintRankingLossParameter, TripletDataParameter,
        TripletLossParameter, TripletRankingHingeLossParameter, TripletSelectionParamter, TruncParameter,
        TruncationParameter, TwoImageDataParameter, TxtFeatDataParameter, UltinousTransformationParameter,
        UncertaintyLossParameter, UniformLossParameter, UniqueLabelParameter, UnlabeledMatchingParameter,
        UnpoolingParameter, UnsupervisedInitialization, UpsampleParameter, UpsamplingParameter,
        VideoDataParameter, VideoUnrollParameter, WSplitParameter, WeightEuclideanLossParameter,
        WeightedEuclideanLossParameter, WeightedFmeasureLossParameter, WellLossParameter,
        WindowClsDataParameter, WordSumParameter, WordvecParameter, WriterParameter,
        YoloDetectionOutputParameter, YoloSegParameter, Yolov3DetectionOutputParameter, Yolov3Parameter,
        spLmeLossParameter)
from caffe_compat.proto.stubs.on_layers import (LayerParameterOfForks, V1LayerParameterOfForks)
from caffe_compat.proto.stubs.on_stock import (AccuracyParameterOfForks, ArgMaxParameterOfForks,
        BatchNormParameterOfForks, BiasParameterOfForks, BlobProtoOfForks, ConcatParameterOfForks,
        ConvolutionParameterOfForks, CropParameterOfForks, DataParameterOfForks, DropoutParameterOfForks,
        DummyDataParameterOfForks, ELUParameterOfForks, EltwiseParameterOfForks, FillerParameterOfForks,
        HDF5DataParameterOfForks, ImageDataParameterOfForks, InnerProductParameterOfForks,
        InputParameterOfForks, LRNParameterOfForks, LossParameterOfForks, MemoryDataParameterOfForks,
        NetParameterOfForks, NetStateOfForks, PReLUParameterOfForks, ParamSpecOfForks,
        ParameterParameterOfForks, PoolingParameterOfForks, PowerParameterOfForks, ReLUParameterOfForks,
        RecurrentParameterOfForks, ReductionParameterOfForks, ReshapeParameterOfForks, ScaleParameterOfForks,
        SigmoidParameterOfForks, SoftmaxParameterOfForks, SolverParameterOfForks, ThresholdParameterOfForks,
        TileParameterOfForks, TransformationParameterOfForks, WindowDataParameterOfForks)

class BlobShape(Message):
    dim: Scalars[int]
    def __init__(self, *, dim: Iterable[int] = ...) -> None: ...

class BlobProto(BlobProtoOfForks):
    num: int
    channels: int
    height: int
    width: int
    data: Scalars[float]
    diff: Scalars[float]
    shape: BlobShape
    double_data: Scalars[float]
    double_diff: Scalars[float]
    def __init__(self, *, num: int = ..., channels: int = ..., height: int = ..., width: int = ...,
        data: Iterable[float] = ..., diff: Iterable[float] = ..., shape: BlobShape | Fields = ...,
        double_data: Iterable[float] = ..., double_diff: Iterable[float] = ...,
        raw_data_type: int | str = ..., raw_diff_type: int | str = ..., raw_data: bytes = ...,
        raw_diff: bytes = ...) -> None: ...

class BlobProtoVector(Message):
    blobs: Messages[BlobProto]
    def __init__(self, *, blobs: Iterable[BlobProto | Fields] = ...) -> None: ...

class Datum(Message):
    channels: int
    height: int
    width: int
    data: bytes
    label: int
    float_data: Scalars[float]
    encoded: bool
    def __init__(self, *, channels: int = ..., height: int = ..., width: int = ..., data: bytes = ...,
        label: int = ..., float_data: Iterable[float] = ..., encoded: bool = ...) -> None: ...

class NetParameter(NetParameterOfForks):
    name: str
    layers: Messages[V1LayerParameter]
    input: Scalars[str]
    input_dim: Scalars[int]
    force_backward: bool
    state: NetState
    debug_info: bool
    input_shape: Messages[BlobShape]
    layer: Messages[LayerParameter]
    origin: str
    def __init__(self, *, name: str = ..., layers: Iterable[V1LayerParameter | Fields] = ...,
        input: Iterable[str] = ..., input_dim: Iterable[int] = ..., force_backward: bool = ...,
        state: NetState | Fields = ..., debug_info: bool = ...,
        input_shape: Iterable[BlobShape | Fields] = ..., richness: int = ..., auto_insert_gathers: bool = ...,
        default_forward_type: int | str = ..., default_backward_type: int | str = ...,
        default_forward_math: int | str = ..., default_backward_math: int | str = ...,
        global_grad_scale: float = ..., global_grad_scale_adaptive: bool = ...,
        default_conv_algos_override: str = ..., reduce_buckets: int = ...,
        default_cudnn_math_override: int = ..., eltwise_mem_sharing: bool = ..., data_type: int | str = ...,
        quantizer: Iterable[QuantizerParameter | Fields] = ..., reduced_memory_inference: bool = ...,
        autotune: int | str = ..., layer: Iterable[LayerParameter | Fields] = ...,
        multinode: MultinodeParameter | Fields = ..., mem_param: MemoryOptimizationParameter | Fields = ...,
        input_force_backward: Iterable[bool] = ..., engine: str = ...,
        compile_net_state: CompileNetState | Fields = ..., bn_stats_batch_size: int = ...,
        deepcompression_setting: bool = ..., dynamic_setting: bool = ..., backup_setting: bool = ...,
        sparsity_info: bool = ..., vdnn_setting: bool = ..., rslayer: Iterable[str] = ...,
        RSlayer: Iterable[str] = ..., origin: str = ...) -> None: ...

class NetState(NetStateOfForks):
    phase: int
    level: int
    stage: Scalars[str]
    def __init__(self, *, phase: int | str = ..., level: int = ..., stage: Iterable[str] = ...,
        quantizer_mode: int | str = ...) -> None: ...

class NetStateRule(Message):
    phase: int
    min_level: int
    max_level: int
    stage: Scalars[str]
    not_stage: Scalars[str]
    def __init__(self, *, phase: int | str = ..., min_level: int = ..., max_level: int = ...,
        stage: Iterable[str] = ..., not_stage: Iterable[str] = ...) -> None: ...

class ParamSpec(ParamSpecOfForks):
    DimCheckMode: Enum
    STRICT: int
    PERMISSIVE: int
    name: str
    share_mode: int
    lr_mult: float
    decay_mult: float
    def __init__(self, *, name: str = ..., share_mode: int | str = ..., lr_mult: float = ...,
        decay_mult: float = ..., breadth_decay_mult: float = ..., kernel_shape_decay_mult: float = ...,
        block_group_lasso: Iterable[BlockGroupLassoSpec | Fields] = ..., regularization_type: str = ...,
        force_regularize: ForceRegular | Fields = ..., force_mult: float = ..., is_logspace: bool = ...,
        min_value: float = ..., max_value: float = ..., param_propagate_down: bool = ...) -> None: ...

class LayerParameter(LayerParameterOfForks):
    name: str
    type: str
    bottom: Scalars[str]
    top: Scalars[str]
    loss_weight: Scalars[float]
    param: Messages[ParamSpec]
    blobs: Messages[BlobProto]
    include: Messages[NetStateRule]
    exclude: Messages[NetStateRule]
    phase: int
    propagate_down: Scalars[bool]
    transform_param: TransformationParameter
    loss_param: LossParameter
    accuracy_param: AccuracyParameter
    argmax_param: ArgMaxParameter
    concat_param: ConcatParameter
    contrastive_loss_param: ContrastiveLossParameter
    convolution_param: ConvolutionParameter
    data_param: DataParameter
    dropout_param: DropoutParameter
    dummy_data_param: DummyDataParameter
    eltwise_param: EltwiseParameter
    exp_param: ExpParameter
    hdf5_data_param: HDF5DataParameter
    hdf5_output_param: HDF5OutputParameter
    hinge_loss_param: HingeLossParameter
    image_data_param: ImageDataParameter
    infogain_loss_param: InfogainLossParameter
    inner_product_param: InnerProductParameter
    lrn_param: LRNParameter
    memory_data_param: MemoryDataParameter
    mvn_param: MVNParameter
    pooling_param: PoolingParameter
    power_param: PowerParameter
    relu_param: ReLUParameter
    sigmoid_param: SigmoidParameter
    softmax_param: SoftmaxParameter
    slice_param: SliceParameter
    tanh_param: TanHParameter
    threshold_param: ThresholdParameter
    window_data_param: WindowDataParameter
    python_param: PythonParameter
    prelu_param: PReLUParameter
    spp_param: SPPParameter
    reshape_param: ReshapeParameter
    log_param: LogParameter
    flatten_param: FlattenParameter
    reduction_param: ReductionParameter
    embed_param: EmbedParameter
    tile_param: TileParameter
    batch_norm_param: BatchNormParameter
    elu_param: ELUParameter
    bias_param: BiasParameter
    scale_param: ScaleParameter
    input_param: InputParameter
    crop_param: CropParameter
    parameter_param: ParameterParameter
    recurrent_param: RecurrentParameter
    swish_param: SwishParameter
    clip_param: ClipParameter
    origin: str
    def __init__(self, *, name: str = ..., type: str = ..., bottom: Iterable[str] = ...,
        top: Iterable[str] = ..., loss_weight: Iterable[float] = ...,
        param: Iterable[ParamSpec | Fields] = ..., blobs: Iterable[BlobProto | Fields] = ...,
        include: Iterable[NetStateRule | Fields] = ..., exclude: Iterable[NetStateRule | Fields] = ...,
        phase: int | str = ..., propagate_down: Iterable[bool] = ..., connectivity_mode: int | str = ...,
        compute_data_type: int | str = ..., top_data_type: int | str = ...,
        bottom_quantizer: Iterable[QuantizerParameter | Fields] = ...,
        top_quantizer: Iterable[QuantizerParameter | Fields] = ...,
        net_quantizer: QuantizerParameter | Fields = ...,
        blobs_quantizer: Iterable[QuantizerParameter | Fields] = ..., autotune: int | str = ...,
        img_aug_type: int = ..., down_sampling_param: DownSamplingParameter | Fields = ...,
        vis_label: int = ..., save_dir: str = ...,
        image_label_data_param: ImageLabelDataParameter | Fields = ...,
        namcwindow_data_param: NAMCWindowDataParameter | Fields = ...,
        euclidean_loss_param: EuclideanLossParameter | Fields = ..., cccp_param: CCCPParameter | Fields = ...,
        well_loss_param: WellLossParameter | Fields = ...,
        hadamard_product_param: HadamardProductParameter | Fields = ...,
        subtraction_param: SubtractionParameter | Fields = ..., bn_param: BNParameter | Fields = ...,
        periodic_loss_param: PeriodicLossParameter | Fields = ...,
        quant_accuracy_param: QuantAccuracyParameter | Fields = ...,
        label_split_param: LabelSplitParameter | Fields = ...,
        dominant_channel_param: DominantChannelParameter | Fields = ...,
        combine_loss_param: CombineLossParameter | Fields = ...,
        softmax_with_view_loss_param: SoftmaxWithViewLossParameter | Fields = ...,
        censor_label_param: CensorLabelParameter | Fields = ...,
        accuracy_view_param: AccuracyViewParameter | Fields = ...,
        channel_aggregator_param: ChannelAggregatorParameter | Fields = ...,
        ignore_overlay_param: IgnoreOverlayParameter | Fields = ...,
        histogram_param: HistogramParameter | Fields = ...,
        gain_channel_param: GainChannelParameter | Fields = ..., onehot_param: OneHotParameter | Fields = ...,
        norm_loss_param: NormLossParameter | Fields = ...,
        argmax_one_param: ArgMaxOneParameter | Fields = ...,
        eltwise_with_filler_param: EltwiseWithFillerParameter | Fields = ...,
        running_average_param: RunningAverageParameter | Fields = ..., device: int = ...,
        bottom_shared_index: Iterable[int] = ..., top_shared_index: Iterable[int] = ...,
        transform_param: TransformationParameter | Fields = ..., loss_param: LossParameter | Fields = ...,
        accuracy_param: AccuracyParameter | Fields = ..., argmax_param: ArgMaxParameter | Fields = ...,
        concat_param: ConcatParameter | Fields = ...,
        contrastive_loss_param: ContrastiveLossParameter | Fields = ...,
        convolution_param: ConvolutionParameter | Fields = ..., data_param: DataParameter | Fields = ...,
        dropout_param: DropoutParameter | Fields = ..., dummy_data_param: DummyDataParameter | Fields = ...,
        eltwise_param: EltwiseParameter | Fields = ..., exp_param: ExpParameter | Fields = ...,
        hdf5_data_param: HDF5DataParameter | Fields = ...,
        hdf5_output_param: HDF5OutputParameter | Fields = ...,
        hinge_loss_param: HingeLossParameter | Fields = ...,
        image_data_param: ImageDataParameter | Fields = ...,
        infogain_loss_param: InfogainLossParameter | Fields = ...,
        inner_product_param: InnerProductParameter | Fields = ..., lrn_param: LRNParameter | Fields = ...,
        memory_data_param: MemoryDataParameter | Fields = ..., mvn_param: MVNParameter | Fields = ...,
        pooling_param: PoolingParameter | Fields = ..., power_param: PowerParameter | Fields = ...,
        relu_param: ReLUParameter | Fields = ..., sigmoid_param: SigmoidParameter | Fields = ...,
        softmax_param: SoftmaxParameter | Fields = ..., slice_param: SliceParameter | Fields = ...,
        tanh_param: TanHParameter | Fields = ..., threshold_param: ThresholdParameter | Fields = ...,
        window_data_param: WindowDataParameter | Fields = ..., python_param: PythonParameter | Fields = ...,
        prelu_param: PReLUParameter | Fields = ..., spp_param: SPPParameter | Fields = ...,
        reshape_param: ReshapeParameter | Fields = ..., log_param: LogParameter | Fields = ...,
        flatten_param: FlattenParameter | Fields = ..., reduction_param: ReductionParameter | Fields = ...,
        embed_param: EmbedParameter | Fields = ..., tile_param: TileParameter | Fields = ...,
        batch_norm_param: BatchNormParameter | Fields = ..., elu_param: ELUParameter | Fields = ...,
        bias_param: BiasParameter | Fields = ..., scale_param: ScaleParameter | Fields = ...,
        input_param: InputParameter | Fields = ..., crop_param: CropParameter | Fields = ...,
        parameter_param: ParameterParameter | Fields = ...,
        recurrent_param: RecurrentParameter | Fields = ..., swish_param: SwishParameter | Fields = ...,
        clip_param: ClipParameter | Fields = ..., engine: str = ...,
        bbox_reg_param: BBoxRegParameter | Fields = ..., box_output_param: BoxOutputParameter | Fields = ...,
        eval_data_param: EvalDataParameter | Fields = ...,
        image_gt_data_param: ImageGtDataParameter | Fields = ...,
        roi_align_param: ROIAlignParameter | Fields = ..., duplicate_param: DuplicateParameter | Fields = ...,
        detection_group_loss_param: DetectionGroupLossParameter | Fields = ...,
        detection_group_accuracy_param: DetectionGroupAccuracyParameter | Fields = ...,
        box_group_output_param: BoxGroupOutputParameter | Fields = ...,
        proposal_target_param: ProposalTargetParameter | Fields = ...,
        frcnn_output_param: FrcnnOutputParameter | Fields = ...,
        capsule_deconv_transform_param: CapsuleDeconvTransformParameter | Fields = ...,
        capsule_deconv_routing_param: CapsuleDeconvRoutingParameter | Fields = ...,
        capsule_deconv_param: CapsuleDeconvParameter | Fields = ...,
        shuffle_channel_param: ShuffleChannelParameter | Fields = ...,
        compact_bilinear_param: CompactBilinearParameter | Fields = ...,
        mlquant_param: MLQuantParameter | Fields = ..., match_loss_param: MatchLossParameter | Fields = ...,
        l1_loss_kitti_param: L1LossKittiParameter | Fields = ...,
        pack_data_param: PackDataParameter | Fields = ..., dct_param: DCTParameter | Fields = ...,
        data_align_param: DataAlignParameter | Fields = ..., gdn_param: GDNParameter | Fields = ...,
        mtlu_param: MtluParameter | Fields = ..., wsplit_param: WSplitParameter | Fields = ...,
        entropy_bottleneck_param: EntropyBottleneckParameter | Fields = ...,
        float2int_param: Float2IntParameter | Fields = ...,
        noise_data_param: NoiseDataParameter | Fields = ...,
        img_resize_param: ImgResizeParameter | Fields = ...,
        color_transfer_param: ColorTransferParameter | Fields = ...,
        msplit_channel_param: MsplitParameter | Fields = ...,
        nonlocal_param: NonlocalParameter | Fields = ..., decoder_param: DecoderParameter | Fields = ...,
        noisy_trans_param: NoisyTransParameter | Fields = ...,
        rank_noisy_trans_param: RankNoisyTransParameter | Fields = ...,
        pseudo_label_cross_entropy_loss_param: PseudoLabelCrossEntropyLossParameter | Fields = ...,
        std_pseudo_label_entropy_loss_param: StdPseudoLabelEntropyLossParameter | Fields = ...,
        annotated_data_param: AnnotatedDataParameter | Fields = ...,
        multibox_loss_param: MultiBoxLossParameter | Fields = ...,
        permute_param: PermuteParameter | Fields = ..., prior_box_param: PriorBoxParameter | Fields = ...,
        detection_output_param: DetectionOutputParameter | Fields = ...,
        detection_evaluate_param: DetectionEvaluateParameter | Fields = ...,
        norm_param: NormalizeParameter | Fields = ..., noise_param: NoiseParameter | Fields = ...,
        grn_param: GRNParameter | Fields = ..., predict_box_param: PredictBoxParameter | Fields = ...,
        embedding_extractor_param: AnchorEmbeddingExtractorParameter | Fields = ...,
        relu6_param: ReLUParameter | Fields = ..., flip_param: FlipParameter | Fields = ...,
        inner_distance_param: InnerDistanceParameter | Fields = ...,
        normalize_param: NormalizeParameter | Fields = ...,
        general_contrastive_loss_param: GeneralContrastiveParameter | Fields = ...,
        soft_contrastive_loss_param: SoftContrastiveParameter | Fields = ...,
        general_triplet_loss_param: GeneralTripletParameter | Fields = ...,
        soft_truncation_param: SoftTruncationParameter | Fields = ...,
        pairwise_param: PairwiseParameter | Fields = ..., smoothl1_param: SmoothL1Parameter | Fields = ...,
        batch_contrastive_loss_param: BatchContrastiveParameter | Fields = ...,
        nca_param: NCAParameter | Fields = ...,
        label_specific_rescale_param: LabelSpecificRescaleParameter | Fields = ...,
        infimum_loss_param: InfimumLossParamter | Fields = ...,
        ordinal_regression_loss_param: OrdinalRegressionParameter | Fields = ...,
        resize_param: ResizeParameter | Fields = ..., selu_dropout_param: SeLUDropoutParameter | Fields = ...,
        confidence_penalty_loss_param: ConfidencePenaltyLossParameter | Fields = ...,
        label_specific_margin_param: LabelSpecificMarginParameter | Fields = ...,
        channel_scale_param: ChannelScaleParameter | Fields = ...,
        label_specific_affine_param: LabelSpecificAffineParameter | Fields = ...,
        label_specific_hard_margin_param: LabelSpecificHardMarginParameter | Fields = ...,
        label_specific_add_param: LabelSpecificAddParameter | Fields = ...,
        superpixel_pooling_param: SuperpixelPoolingParameter | Fields = ...,
        scale_flags_param: ScaleFlagsParameter | Fields = ..., st_loss_param: STLossParameter | Fields = ...,
        loc_loss_param: LocLossParameter | Fields = ..., hex_loss_param: HexLossParameter | Fields = ...,
        hex_accuracy_param: HexAccuracyParameter | Fields = ...,
        hex_score_param: HexScoreParameter | Fields = ..., snapshot: LayerSnapshotParameter | Fields = ...,
        bdct_to_spatial_param: BdctToSpatialParameter | Fields = ..., sf_param: SFParameter | Fields = ...,
        sp1_param: Plus1LossParameter | Fields = ...,
        multilabel_accuracy_param: MultiLabelAccuracyParameter | Fields = ...,
        crop_pooling_param: CropPoolingParameter | Fields = ...,
        multi_label_softmax_loss_param: MultiLabelSoftmaxLoss | Fields = ...,
        tiling_param: TilingParameter | Fields = ..., drive_data_param: DriveDataParameter | Fields = ...,
        binary_label_param: BinaryLabelParameter | Fields = ...,
        slice_label_param: SliceLabelParameter | Fields = ...,
        multi_view_param: MultiViewParameter | Fields = ...,
        dense_face_image_data_param: DenseFaceImageDataParameter | Fields = ...,
        relevance_constraint_param: RelevanceConstraintParameter | Fields = ...,
        center_distance_param: CenterDistanceParameter | Fields = ...,
        cmd_loss_param: CMDLossParameter | Fields = ...,
        orthogonal_constraint_param: OrthogonalConstraintParameter | Fields = ...,
        triplet_selection_param: TripletSelectionParamter | Fields = ...,
        region_loss_param: RegionLossParameter | Fields = ...,
        yolo_detection_output_param: YoloDetectionOutputParameter | Fields = ...,
        yolov3_detection_output_param: Yolov3DetectionOutputParameter | Fields = ...,
        yolov3_param: Yolov3Parameter | Fields = ..., yolo_seg_param: YoloSegParameter | Fields = ...,
        segmentation_evaluate_param: SegmentationEvaluateParameter | Fields = ...,
        fake_embed_jpeg_param: FakeEmbedJpegParameter | Fields = ...,
        image_data_steganalysis_spatial_param: ImageDataSteganalysisSpatialParameter | Fields = ...,
        multimodal_batch_norm_param: MultiModalBatchNormParameter | Fields = ...,
        Channel_dropout_param: ChannelDropoutParameter | Fields = ...,
        trunc_param: TruncParameter | Fields = ...,
        lowlevel_distance_param: LowlevelDistanceParameter | Fields = ...,
        deformable_convolution_param: DeformableConvolutionParameter | Fields = ...,
        iou_accuracy_param: IOUAccuracyParameter | Fields = ...,
        au_mask_based_land_param: AUMaskBasedLandParameter | Fields = ...,
        blob_share_mode: Iterable[int | str] = ..., strict_dim: bool = ...,
        box_term_param: BoxTermParameter | Fields = ..., shape_term_param: ShapeTermParameter | Fields = ...,
        bottom_data_type: int | str = ..., img_sampling_type: int = ...,
        color_conv_param: ColorConvParameter | Fields = ...,
        mult_softmax_param: MultiSoftmaxParameter | Fields = ...,
        mult_softmax_loss_param: MultiSoftmaxLossParameter | Fields = ...,
        eltwise_accuracy_param: EltwiseAccuracyParameter | Fields = ...,
        downsampling_param: DownsamplingParameter | Fields = ...,
        image_multilabel_data_param: ImageMultiLabelDataParameter | Fields = ...,
        red_softmax_loss_param: RedSoftmaxWithLossParameter | Fields = ...,
        red_accuracy_param: RedAccuracyParameter | Fields = ...,
        binary_accuracy_param: BinaryAccuracyParameter | Fields = ...,
        mixed_pred_param: MixedPredParameter | Fields = ...,
        select_seg_binary_param: SelectSegBinaryParameter | Fields = ...,
        softmax_pos_neg_loss_param: SoftmaxPosNegWithLossParameter | Fields = ...,
        softmax_with_sphere_loss_param: SoftmaxWithSphereLossParameter | Fields = ...,
        accuracy_sphere_param: AccuracySphereParameter | Fields = ..., root_img_dir: str = ...,
        crop_meanfile: str = ..., word_sum_param: WordSumParameter | Fields = ...,
        video_unroll_param: VideoUnrollParameter | Fields = ...,
        frames_roll_param: FramesRollParameter | Fields = ...,
        upsample_param: UpsampleParameter | Fields = ...,
        dense_image_data_param: DenseImageDataParameter | Fields = ...,
        attention_data_param: AttentionDataParameter | Fields = ...,
        local_param: LocalParameter | Fields = ..., seg_data_param: SegDataParameter | Fields = ...,
        triplet_loss_param: TripletLossParameter | Fields = ..., interp_param: InterpParameter | Fields = ...,
        seg_accuracy_param: SegAccuracyParameter | Fields = ..., forward_type: int | str = ...,
        backward_type: int | str = ..., center_loss_param: CenterLossParameter | Fields = ...,
        margin_param: MarginParameter | Fields = ..., reorg_param: ReorgParameter | Fields = ...,
        capsule_transform_param: CapsuleTransformParameter | Fields = ...,
        capsule_routing_param: CapsuleRoutingParameter | Fields = ...,
        capsule_mask_param: CapsuleMaskParameter | Fields = ...,
        capsule_reshape_param: CapsuleReshapeParameter | Fields = ...,
        capsule_len_param: CapsuleLenParameter | Fields = ...,
        capsule_conv_transform_param: CapsuleConvTransformParameter | Fields = ...,
        capsule_conv_routing_param: CapsuleConvRoutingParameter | Fields = ...,
        capsule_relu_param: CapsuleReluParameter | Fields = ...,
        quantization_param: QuantizationParameter | Fields = ...,
        truncation_param: TruncationParameter | Fields = ...,
        dr_param: DynamicRoutingParameter | Fields = ..., ssd_data_param: SSDDataParameter | Fields = ...,
        cpp_param: CPPLayerParameter | Fields = ..., nn_upsample_param: NNUpsampleParameter | Fields = ...,
        capsule_conv_param: CapsuleConvParameter | Fields = ...,
        region_convolution_param: RegionConvolutionParameter | Fields = ...,
        lot_param: LotParameter | Fields = ..., pack_channel_param: PackChannelParameter | Fields = ...,
        additive_margin_inner_product_param: AdditiveMarginInnerProductParameter | Fields = ...,
        cosin_add_m_param: CosinAddmParameter | Fields = ...,
        cosin_mul_m_param: CosinMulmParameter | Fields = ...,
        coupled_cluster_loss_param: CoupledClusterLossParameter | Fields = ...,
        ctc_loss_param: CtcLossParameter | Fields = ..., lstm_param: LSTMParameter | Fields = ...,
        sliding_window_param: SlidingWindowParameter | Fields = ...,
        labelsequence_accuracy_param: LabelsequenceAccuracyParameter | Fields = ...,
        batch_pairing_param: BatchPairingParameter | Fields = ...,
        eltwise_affine_param: EltwiseAffineParameter | Fields = ...,
        cross_input_neighborhood_diffs_param: CrossInputNeighborhoodDiffsParameter | Fields = ...,
        bilinear_patch_param: BilinearPatchParameter | Fields = ...,
        hotspot_param: HotspotParameter | Fields = ..., img_size_param: ImgSizeParameter | Fields = ...,
        fcn_data_param: FCNDataParameter | Fields = ...,
        scale_filter_param: ScaleFilterParameter | Fields = ...,
        prior_rbox_param: PriorRBoxParameter | Fields = ...,
        imagedb_data_param: ImagedbDataParameter | Fields = ...,
        rdetection_evaluate_param: RDetectionEvaluateParameter | Fields = ...,
        multirbox_loss_param: MultiRBoxLossParameter | Fields = ...,
        annotated_r_data_param: AnnotatedRDataParameter | Fields = ...,
        image_output_param: ImageOutputParameter | Fields = ...,
        feature_decay_loss_param: FeatureDecayLossParameter | Fields = ...,
        sparse_hypercolumn_extractor_param: SparseHypercolumnExtractorParameter | Fields = ...,
        image_data_steganalysis_jpeg_dct_param: ImageDataSteganalysisJpegDctParameter | Fields = ...,
        pair_data_param: PairDataParameter | Fields = ...,
        fake_embed_spatial_param: FakeEmbedSpatialParameter | Fields = ...,
        gen_slicinfo_param: GenSlicinfoParameter | Fields = ...,
        indicator_data_param: IndicatorDataParameter | Fields = ...,
        two_image_data_param: TwoImageDataParameter | Fields = ...,
        roi_warping_param: ROIWarpingParameter | Fields = ...,
        pw_attend_param: PointwiseAttendParameter | Fields = ...,
        gradient_scaler_param: GradientScalerParameter | Fields = ...,
        periodic_shuffle_param: PeriodicShuffleParameter | Fields = ...,
        apl_param: APLParameter | Fields = ..., rrelu_param: RReLUParameter | Fields = ...,
        multi_stage_meanfield_param: MultiStageMeanfieldParameter | Fields = ...,
        Sequence_accuracy_param: SequenceAccuracyParameter | Fields = ...,
        mmd_param: MMDParameter | Fields = ...,
        cpm_transform_param: CPMTransformationParameter | Fields = ...,
        image_transform_param: ImageTransformationParameter | Fields = ...,
        doc_data_param: DocDataParameter | Fields = ...,
        weighted_fmeasure_loss_param: WeightedFmeasureLossParameter | Fields = ...,
        weight_euclidean_loss_param: WeightEuclideanLossParameter | Fields = ...,
        output_decay_param: OutputDecayParameter | Fields = ...,
        mcwindow_data_param: MCWindowDataParameter | Fields = ...,
        padding_param: PaddingParameter | Fields = ...,
        softmaxloss_param: SoftmaxLossParameter | Fields = ...,
        image_float_data_param: ImageFloatDataParameter | Fields = ...,
        colinear_convolution_param: ColinearConvolutionParameter | Fields = ...,
        upsampling_param: UpsamplingParameter | Fields = ..., folding_param: FoldingParameter | Fields = ...,
        local_weighted_convolution_param: LocalWeightedConvolutionParameter | Fields = ...,
        convolution_cr_param: ConvolutionCRParameter | Fields = ...,
        fida_conv_param: FidaConvParameter | Fields = ...,
        window_cls_data_param: WindowClsDataParameter | Fields = ...,
        scene_3d_data_param: Scene3DDataParameter | Fields = ...,
        pairwise_ranking_hinge_loss_param: PairwiseRankingHingeLossParameter | Fields = ...,
        axis_pooling_param: AxisPoolingParameter | Fields = ..., ssd_param: SSDParameter | Fields = ...,
        cconvolution_param: CConvolutionParameter | Fields = ...,
        cinner_product_param: CInnerProductParameter | Fields = ...,
        part_sort_param: PartSortParameter | Fields = ..., unpooling_param: UnpoolingParameter | Fields = ...,
        convupsample_param: ConvupsampleParameter | Fields = ...,
        dense_crf_param: DenseCRFParameter | Fields = ...,
        mask_resize_param: MaskResizeParameter | Fields = ..., bbtxt_param: BBTXTParameter | Fields = ...,
        squash_param: SquashParameter | Fields = ...,
        detection_accuracy_param: DetectionAccuracyParameter | Fields = ...,
        detection_data_param: DetectionDataParameter | Fields = ...,
        channel_reduce_param: ChannelReduceParameter | Fields = ...,
        dist_loss_param: DistLossParameter | Fields = ...,
        scale_route_param: ScaleRouteParameter | Fields = ...,
        pose_accuracy_param: PoseAccuracyParameter | Fields = ...,
        ranking_loss_param: RankingLossParameter | Fields = ...,
        norm_conv_meanfield_param: NormConvMeanfieldParameter | Fields = ...,
        euclidean_param: EuclideanParameter | Fields = ...,
        structure_measure_param: StructureMeasureParameter | Fields = ...,
        mtcnn_data_param: MTCNNDataParameter | Fields = ...,
        black_augmentation_param: BlackAugmentationParameter | Fields = ...,
        batch_reduction_param: BatchReductionParameter | Fields = ...,
        mrelu_param: MReLUParameter | Fields = ..., nn_downsample_param: NNDownsampleParameter | Fields = ...,
        hole_conv_param: HoleConvolutionParameter | Fields = ...,
        detection_loss_param: DetectionLossParameter | Fields = ...,
        continuation_indicator_param: ContinuationIndicatorParameter | Fields = ...,
        largemargin_inner_product_param: LargeMarginInnerProductParameter | Fields = ...,
        multidata_param: MultidataParameter | Fields = ...,
        pairwise_sample_loss_param: PairWiseSampleLossParameter | Fields = ...,
        neighborhood_unfolding_param: NeighborhoodUnfoldingParameter | Fields = ...,
        im2seq_param: Im2seqParameter | Fields = ..., split_param: SplitParameter | Fields = ...,
        rdetection_output_param: RDetectionOutputParameter | Fields = ...,
        module_param: ModuleParameter | Fields = ...,
        quant_trunc_abs_param: QuantTruncAbsParameter | Fields = ...,
        l1_loss_param: L1LossParameter | Fields = ..., aug_param: AugmentationParameter | Fields = ...,
        transfer_param: TransferParameter | Fields = ...,
        eltwise_division_param: EltwiseDivisionLayerParameter | Fields = ...,
        dice_coef_loss_param: DiceCoefLossParameter | Fields = ..., is_adaptive_initialization: bool = ...,
        display: bool = ..., broadelt_param: BroadEltParameter | Fields = ...,
        repmat_param: RepMatParameter | Fields = ..., sort_param: SortParameter | Fields = ...,
        constrain_ip_param: ConstrainIPParameter | Fields = ...,
        graphlinkage_loss_param: GraphLinkageLossParameter | Fields = ...,
        sub_region_param: SubRegionParameter | Fields = ..., cap_param: CapParameter | Fields = ...,
        mask_param: TransformationParameter | Fields = ..., bbtxt_bb_param: BBTXTBBParameter | Fields = ...,
        transpose_param: TransposeParameter | Fields = ..., reverse_param: ReverseParameter | Fields = ...,
        trt_param: TRTParameter | Fields = ..., hard_mining_param: HardMiningParameter | Fields = ...,
        im2dist_param: Im2distParameter | Fields = ..., decode_bbox_param: DecodeBBoxParameter | Fields = ...,
        norm_conv_param: NormConvParameter | Fields = ...,
        similarity_param: SimilarityParameter | Fields = ..., rand_vec_param: RandVecParameter | Fields = ...,
        capsule_product_param: CapsuleProductParameter | Fields = ...,
        accum_param: AccumParameter | Fields = ...,
        ceuclidean_loss_param: CEuclideanLossParameter | Fields = ...,
        linear_quant_param: LinearQuantParameter | Fields = ...,
        multobin_param: MulToBinParameter | Fields = ..., visualise: bool = ...,
        eval_detection_param: EvalDetectionParameter | Fields = ...,
        latent_guassian_param: LatentGaussianParameter | Fields = ...,
        beam_search_param: BeamSearchParameter | Fields = ...,
        hungarian_loss_param: HungarianLossParameter | Fields = ...,
        detection_pbox_evaluate_param: DetectionPboxEvaluateParameter | Fields = ...,
        btcostvolume_param: BTCostVolumeParameter | Fields = ...,
        instance_id_param: InstanceIDParameter | Fields = ...,
        dot_product_param: DotProductParameter | Fields = ..., clip_gradients: Iterable[float] = ...,
        uncertainty_loss_param: UncertaintyLossParameter | Fields = ...,
        label_expansion_param: LabelExpansionParameter | Fields = ..., rcs_param: RCSParameter | Fields = ...,
        renet_lstm_param: ReNetLSTMParameter | Fields = ..., imresize_param: ImResizeParameter | Fields = ...,
        mixup_param: MixupParameter | Fields = ...,
        lstm_conv_param: Iterable[LSTMConvolutionParameter | Fields] = ...,
        correlation_param: CorrelationParameter | Fields = ...,
        activations_compress_param: Iterable[CompressParameter | Fields] = ...,
        splme_loss_param: spLmeLossParameter | Fields = ...,
        mat_write_param: MatWriteParameter | Fields = ...,
        spatial_dropout_param: SpatialDropoutParameter | Fields = ...,
        lme_loss_param: LmeLossParameter | Fields = ...,
        manual_crop_param: ManualCropParameter | Fields = ...,
        lpq_loss_param: LpqLossParameter | Fields = ..., flow_warp_param: FlowWarpParameter | Fields = ...,
        mean_loss_param: MeanLossParameter | Fields = ...,
        cross_entropy_loss_param: CrossEntropyLossParameter | Fields = ...,
        scalar_param: ScalarParameter | Fields = ..., wordvec_param: WordvecParameter | Fields = ...,
        py_param: PyParameter | Fields = ..., subpixel_down_param: SubpixelDownParameter | Fields = ...,
        triplet_data_param: TripletDataParameter | Fields = ...,
        feature_registration_param: FeatureRegistrationParameter | Fields = ...,
        ultinous_transform_param: UltinousTransformationParameter | Fields = ...,
        adversarial_image_data_param: AdversarialImageDataParamater | Fields = ...,
        st_param: SpatialTransformerParameter | Fields = ...,
        power_file_param: PowerFileParameter | Fields = ...,
        affine_matrix_param: AffineMatrixParameter | Fields = ...,
        imwrite_param: ImwriteParameter | Fields = ...,
        data_augment_param: DataAugmentParameter | Fields = ...,
        proj_trans_param: ProjectiveTransformerParameter | Fields = ...,
        proj_matrix_param: ProjectiveMatrixParameter | Fields = ...,
        queue_prediction_data_param: QueuePredictionDataParameter | Fields = ...,
        rescale_param: RescaleParameter | Fields = ...,
        margin_inner_product_param: MarginInnerProductParameter | Fields = ...,
        backward_math: int | str = ..., ctc_decoder_param: CTCDecoderParameter | Fields = ...,
        activations_compress: Iterable[str] = ..., lstm_debug_param: LSTMDebugParameter | Fields = ...,
        lifted_struct_sim_softmax_loss_param: LiftedStructSimilaritySoftmaxLossParameter | Fields = ...,
        cosine_similarity_batch_param: CosineSimilarityBatchParameter | Fields = ...,
        pose_data_param: PoseDataParameter | Fields = ..., im2parity_param: Im2parityParameter | Fields = ...,
        mn_grad_compress_param: MnParamGradCompressParameter | Fields = ...,
        incremental_data_param: IncrementalDataParameter | Fields = ...,
        smooth_margin_inner_product_param: SmoothMarginInnerProductParameter | Fields = ...,
        dsa_loss_param: DSALossParameter | Fields = ..., rp: RuntimeParameter | Fields = ...,
        softmax_with_loss_vec_param: SoftmaxWithLossVecParameter | Fields = ...,
        insanity_param: InsanityParameter | Fields = ...,
        guided_dropout_param: GuidedDropoutParameter | Fields = ..., selu_param: SeLUParameter | Fields = ...,
        filter_map_param: FilterMapParameter | Fields = ...,
        combination_param: CombinationParameter | Fields = ...,
        pooling_nd_param: PoolingNDParameter | Fields = ...,
        face_image_param: FaceImageParameter | Fields = ..., nms_param: NmsParameter | Fields = ...,
        unique_label_param: UniqueLabelParameter | Fields = ...,
        att_pooling_param: AttPoolingParameter | Fields = ...,
        multi_accuracy_param: MultiAccuracyParameter | Fields = ...,
        reader_param: ReaderParameter | Fields = ..., nlu_param: NLUParameter | Fields = ...,
        get_region_param: GetRetionParameter | Fields = ..., set_loss_param: SetLossParameter | Fields = ...,
        set_loss2_param: SetLoss2Parameter | Fields = ..., merge_param: MergeParameter | Fields = ...,
        asdn_data_param: AsdnDataParameter | Fields = ..., gmm_param: GMMLossParameter | Fields = ...,
        visualise_channel: int = ..., whichview: int = ...,
        video_data_param: VideoDataParameter | Fields = ...,
        convolution3d_param: Convolution3DParameter | Fields = ...,
        pooling3d_param: Pooling3DParameter | Fields = ...,
        detectnet_groundtruth_param: DetectNetGroundTruthParameter | Fields = ...,
        detectnet_augmentation_param: DetectNetAugmentationParameter | Fields = ..., pullsfrom: str = ...,
        division_param: DivisionParameter | Fields = ...,
        grid_splat_param: GridSplatLayerParameter | Fields = ...,
        focal_loss_param: FocalLossParameter | Fields = ...,
        adaptive_bias_channel_param: AdaptiveBiasChannelParameter | Fields = ..., debug: bool = ...,
        cudnn_math_override: int = ..., roi_mask_pooling_param: ROIMaskPoolingParameter | Fields = ...,
        gather_param: GatherParameter | Fields = ...,
        triplet_ranking_hinge_loss_param: TripletRankingHingeLossParameter | Fields = ...,
        carcont_param: CarcontParameter | Fields = ..., resample_param: ResampleParameter | Fields = ...,
        downsample_param: DownsampleParameter | Fields = ..., reshape_every_iter: bool = ...,
        expmax_param: ExpMaxParameter | Fields = ...,
        binomial_deviance_loss_param: BinomialDevianceLossParameter | Fields = ...,
        slicing_param: SlicingPatameter | Fields = ...,
        accumulator_loss_param: AccumulatorLossParameter | Fields = ...,
        label_smooth_param: LabelSmoothParameter | Fields = ..., weights_compress: Iterable[str] = ...,
        kernel_loss_param: KernelLossParameter | Fields = ...,
        weights_compress_param: Iterable[CompressParameter | Fields] = ...,
        reverse_time_param: ReverseTimeParameter | Fields = ...,
        rnn_dropout_param: RNNDropoutParameter | Fields = ..., mean_param: MeanParameter | Fields = ...,
        permutation_param: PermutationParameter | Fields = ...,
        const_scale_param: ConstScaleParameter | Fields = ..., ele_opt_param: EleOptParameter | Fields = ...,
        softmax_noisy_label_loss_param: SoftmaxNoisyLabelLossParameter | Fields = ...,
        subpixel_up_param: SubpixelUpParameter | Fields = ..., source_class: str = ...,
        forward_math: int | str = ..., uniform_loss_param: UniformLossParameter | Fields = ...,
        triver_loss_param: TriVerLossParameter | Fields = ...,
        multi_proto_param: MultiProtoParameter | Fields = ...,
        txtfeat_data_param: TxtFeatDataParameter | Fields = ...,
        p_power_param: PPowerParameter | Fields = ..., on_off_stage: str = ...,
        triplet_clip_hinge_loss_param: TripletClipHingeLossParameter | Fields = ...,
        random_maclaurin_param: RandomMaclaurionParameter | Fields = ...,
        imp_map_param: ImpMapParameter | Fields = ..., round_param: RoundParameter | Fields = ...,
        dtow_param: DtowParameter | Fields = ..., mtranspose_param: MtransposeParameter | Fields = ...,
        entropy_pack_param: EntropyPackParameter | Fields = ...,
        densecrf_param: DensecrfParameter | Fields = ..., bof_param: BofParameter | Fields = ...,
        batch_param: BatchParameter | Fields = ..., box_param: BoxParameter | Fields = ...,
        splice_param: SpliceParameter | Fields = ..., filter_param: FilterParameter | Fields = ...,
        seg_param: SegParameter | Fields = ..., cos_data_param: CosDataParameter | Fields = ...,
        binary_data_param: BinaryDataParameter | Fields = ...,
        euclidean_with_tv_param: EuclideanWithTvParameter | Fields = ...,
        labeled_matching_param: LabeledMatchingParameter | Fields = ...,
        unlabeled_matching_param: UnlabeledMatchingParameter | Fields = ...,
        picpac_param: PicpacParameter | Fields = ..., quartet_loss_param: QuartetLossParameter | Fields = ...,
        brelu_param: BReLUParameter | Fields = ..., hypercolumns_param: HyperColumnsParameter | Fields = ...,
        adacos_add_m_scale_param: AdacosAddMScaleParameter | Fields = ...,
        parse_evaluate_param: ParseEvaluateParameter | Fields = ...,
        ganloss_param: GANLossParameter | Fields = ...,
        box_annotator_ohem_param: BoxAnnotatorOHEMParameter | Fields = ...,
        psroi_pooling_param: PSROIPoolingParameter | Fields = ...,
        domain_transform_param: DomainTransformParameter | Fields = ...,
        coeff_schedule_param: CoeffScheduleParameter | Fields = ...,
        bias_channel_param: BiasChannelParameter | Fields = ...,
        class_distance_param: ClassDistanceParameter | Fields = ...,
        mat_read_param: MatReadParameter | Fields = ..., writer_param: WriterParameter | Fields = ...,
        rotate_transformer_param: RotateTransformerParameter | Fields = ...,
        softmax_loss_param: SoftmaxLossParameter | Fields = ...,
        bn_conv_param: BNConvParameter | Fields = ...,
        quantile_l1_loss_param: QuantileL1LossParameter | Fields = ...,
        weighted_euclidean_loss_param: WeightedEuclideanLossParameter | Fields = ...,
        group_norm_param: GroupNormParameter | Fields = ...,
        similarity_loss_param: SimilarityLossParameter | Fields = ...,
        mergecrop_param: MergeCropParameter | Fields = ...,
        margin_softmax_loss_param: MarginSoftmaxLossParameter | Fields = ...,
        drop_block_param: DropBlockParameter | Fields = ...,
        linear_transform_param: LinearTransformParameter | Fields = ...,
        triplet_constraint_ranking_loss_param: TripletConstraintRankingLossParameter | Fields = ...,
        my_tile_param: MyTileParameter | Fields = ..., translation_param: TranslationParameter | Fields = ...,
        lstm_unit_param: LstmUnitParameter | Fields = ...,
        scale_tanh_param: ScaleTanHParameter | Fields = ...,
        symmetric_rectify_param: SymmetricRectifyParameter | Fields = ...,
        ctc_param: CTCParameter | Fields = ..., heatmap_data_param: HeatmapDataParameter | Fields = ...,
        opflow_warp_param: OpflowWarpParameter | Fields = ..., one_hot_param: OneHotParameter | Fields = ...,
        entropy_loss_param: EntropyLossParameter | Fields = ...,
        online_batch_relation_loss_param: OnlineBatchRelationLossParameter | Fields = ...,
        atari_data_param: AtariDataParameter | Fields = ..., sparsify_param: SparsifyParameter | Fields = ...,
        dns_inner_product_param: DNSInnerProductParameter | Fields = ...,
        sparsity_loss_param: SparsityLossParameter | Fields = ...,
        multinode: MultinodeLayerParameter | Fields = ...,
        keypoint_acc_param: KeypointAccParameter | Fields = ...,
        spatial_transformer_loss_param: SpatialTransformerLossParameter | Fields = ...,
        my_reshape_param: MyReshapeParameter | Fields = ...,
        dns_convolution_param: DNSConvolutionParameter | Fields = ...,
        intersection_over_union_param: IntersectionOverUnionParameter | Fields = ...,
        augmentation_param: AugmentationParameter | Fields = ...,
        hashing_loss_param: HashingLossParameter | Fields = ...,
        mn_activation_param: MnActivationParameter | Fields = ...,
        pifa_data_param: PifaDataParameter | Fields = ..., gn_param: GNParameter | Fields = ...,
        minrelu_param: MinReLUParameter | Fields = ..., region_param: RegionParameter | Fields = ...,
        affinity_param: AffinityParameter | Fields = ..., moe_param: MOEParameter | Fields = ...,
        reduce_param: ReduceParameter | Fields = ...,
        hsroi_pooling_param: HSROIPoolingParameter | Fields = ...,
        correlative_filters_param: CorrelativeFiltersParameter | Fields = ...,
        split_merge_param: SplitMergeParameter | Fields = ...,
        inner_product_blob_param: InnerProductBlobParameter | Fields = ...,
        inq_inner_product_param: INQInnerProductParameter | Fields = ...,
        nnpack_convolution_param: NNPACKConvolutionParameter | Fields = ...,
        rankhard_loss_param: RankHardLossParameter | Fields = ..., mex_param: MEXParameter | Fields = ...,
        euclidean_weight_loss_param: EuclideanWeightLossParameter | Fields = ...,
        inq_convolution_param: INQConvolutionParameter | Fields = ...,
        log_likelihood_loss_param: LogLikelihoodLossParameter | Fields = ...,
        hog_param: HoGParameter | Fields = ..., quant_trun_param: Quant_TrunParameter | Fields = ...,
        multipbox_loss_param: MultiPBoxLossParameter | Fields = ...,
        sum_loss_param: SumLossParameter | Fields = ..., jmmd_param: JMMDParameter | Fields = ...,
        generalized_hinge_loss_param: GeneralizedHingeLossParameter | Fields = ...,
        mapping_param: MappingParameter | Fields = ...,
        hpdfd_transform_param: HPDFDTransformationParameter | Fields = ...,
        accuracy_sigmoid_param: AccuracySigmoidParameter | Fields = ...,
        multi_sigmoid_loss_param: MultiSigmoidCrossEntropyLossParameter | Fields = ...,
        outer_product_param: OuterProductParameter | Fields = ...,
        deformable_psroi_pooling_param: DeformablePSROIPoolingParameter | Fields = ...,
        accuracy_distance_param: AccuracyDistanceParameter | Fields = ...,
        corner_crop_param: CornerCropParameter | Fields = ...,
        op_transform_param: OPTransformationParameter | Fields = ...,
        norml2_param: NormL2Parameter | Fields = ...,
        spatial_transformer_param: SpatialTransformerParameter | Fields = ...,
        sum_pooling_param: SumPoolingParameter | Fields = ..., netvlad_param: NetvladParameter | Fields = ...,
        detection_output_pbox_param: DetectionOutputPboxParameter | Fields = ...,
        rpn_param: RPNParameter | Fields = ..., detectmap_data_param: DetectmapDataParameter | Fields = ...,
        prior_pbox_param: PriorPBoxParameter | Fields = ...,
        fappy_loss_param: FAPPYLossParameter | Fields = ...,
        intranorm_param: IntranormParameter | Fields = ..., log_data: bool = ...,
        cpmdata_param: CPMDataParameter | Fields = ..., ssim_loss_param: SSIMLossParameter | Fields = ...,
        regularization_param: RegularizationParameter | Fields = ...,
        patch_param: PatchParameter | Fields = ..., rank_param: RankParameter | Fields = ...,
        net_id: int = ..., crop_center_param: CropCenterParameter | Fields = ...,
        octree_param: OctreeParameter | Fields = ..., denseblock_param: DenseBlockParameter | Fields = ...,
        deletebottom: bool = ..., slice_map_param: SliceMapParameter | Fields = ...,
        pair_coordinate_param: PairCoordinateDataParameter | Fields = ...,
        psroi_align_param: PSROIAlignParameter | Fields = ...,
        proposal_param: ProposalParameter | Fields = ..., deletetop: bool = ...,
        mil_data_param: MILDataParameter | Fields = ..., mil_param: MILParameter | Fields = ...,
        roi_pooling_param: ROIPoolingParameter | Fields = ...,
        smooth_l1_loss_param: SmoothL1LossParameter | Fields = ...,
        grid_pooling_param: GRIDPoolingParameter | Fields = ..., origin: str = ...) -> None: ...

class SolverParameter(SolverParameterOfForks):
    SolverMode: Enum
    CPU: int
    GPU: int
    SnapshotFormat: Enum
    HDF5: int
    BINARYPROTO: int
    SolverType: Enum
    SGD: int
    NESTEROV: int
    ADAGRAD: int
    RMSPROP: int
    ADADELTA: int
    ADAM: int
    train_net: str
    test_net: Scalars[str]
    test_iter: Scalars[int]
    test_interval: int
    base_lr: float
    display: int
    max_iter: int
    lr_policy: str
    gamma: float
    power: float
    momentum: float
    weight_decay: float
    stepsize: int
    snapshot: int
    snapshot_prefix: str
    snapshot_diff: bool
    solver_mode: int
    device_id: int
    test_compute_loss: bool
    random_seed: int
    train_net_param: NetParameter
    test_net_param: Messages[NetParameter]
    debug_info: bool
    net: str
    net_param: NetParameter
    train_state: NetState
    test_state: Messages[NetState]
    snapshot_after_train: bool
    regularization_type: str
    solver_type: int
    delta: float
    test_initialization: bool
    average_loss: int
    stepvalue: Scalars[int]
    clip_gradients: float
    iter_size: int
    snapshot_format: int
    rms_decay: float
    momentum2: float
    type: str
    layer_wise_reduce: bool
    weights: Scalars[str]
    origin: str
    def __init__(self, *, train_net: str = ..., test_net: Iterable[str] = ..., test_iter: Iterable[int] = ...,
        test_interval: int = ..., base_lr: float = ..., display: int = ..., max_iter: int = ...,
        lr_policy: str = ..., gamma: float = ..., power: float = ..., momentum: float = ...,
        weight_decay: float = ..., stepsize: int = ..., snapshot: int = ..., snapshot_prefix: str = ...,
        snapshot_diff: bool = ..., solver_mode: int | str = ..., device_id: int = ...,
        test_compute_loss: bool = ..., random_seed: int = ..., train_net_param: NetParameter | Fields = ...,
        test_net_param: Iterable[NetParameter | Fields] = ..., debug_info: bool = ..., net: str = ...,
        net_param: NetParameter | Fields = ..., train_state: NetState | Fields = ...,
        test_state: Iterable[NetState | Fields] = ..., snapshot_after_train: bool = ...,
        regularization_type: str = ..., solver_type: int | str = ..., delta: float = ...,
        test_initialization: bool = ..., average_loss: int = ..., stepvalue: Iterable[int] = ...,
        clip_gradients: float = ..., iter_size: int = ..., snapshot_format: int | str = ...,
        rms_decay: float = ..., momentum2: float = ..., type: str = ..., layer_wise_reduce: bool = ...,
        weights: Iterable[str] = ..., max_lr: float = ..., cyclical_momentum: Iterable[float] = ...,
        start_lr_policy: float = ..., momentum_policy: str = ..., max_momentum: float = ...,
        warmup_iter: int = ..., warmup_start_lr: float = ..., larc_policy: str = ..., larc_eta: float = ...,
        test_offset: int = ..., test_and_snapshot_last_epochs: int = ..., larc_turbo: bool = ...,
        sparsity_info: bool = ..., vdnn_setting: bool = ..., deepcompression_setting: bool = ...,
        dynamic_setting: bool = ..., backup_setting: bool = ..., snapshot_before_train: bool = ...,
        update_iter: int = ..., snapshot_best_lower_bound: float = ..., device_ids: Iterable[int] = ...,
        encoder_net: str = ..., encoder_device_id: int = ..., random_seeds: Iterable[int] = ...,
        error_on_nan_loss: bool = ..., error_on_inf_loss: bool = ..., snapshot_history_length: int = ...,
        batchsize: int = ..., display_debug: int = ..., load_solver_state: bool = ...,
        breakpoint: Iterable[int] = ..., snapshot_mode: int | str = ...,
        layer_blobs_global_idx: Iterable[LayerPSTablePair | Fields] = ..., share_blobs: bool = ...,
        richness: int = ..., force_cpu_momentum: bool = ..., test_attention: bool = ...,
        rampup_interval: int = ..., rampup_lr: float = ..., min_lr: float = ...,
        plateau_winsize: Iterable[int] = ..., measure_threshold: float = ...,
        max_threshold_factor: float = ..., cyclesize: int = ..., momentum_power: float = ...,
        larc: bool = ..., local_lr_auto: bool = ..., local_gw_ratio: float = ...,
        weight_decay_policy: str = ..., weight_decay_power: float = ..., max_weight_decay: float = ...,
        final_rate: float = ..., stepearly: int = ..., max_nonfinite_test_loss: int = ...,
        max_periods_without_improvement: int = ..., max_steps_without_improvement: int = ...,
        min_iters_per_period: Iterable[int] = ..., monitor_test: bool = ..., monitor_test_id: int = ...,
        device: int = ..., update_interval: int = ..., debug_display: int = ..., debug_iter_stop: int = ...,
        eval_type: str = ..., ap_version: str = ..., block_group_decay: float = ...,
        solver_data_type: int | str = ..., store_blobs_in_old_format: bool = ..., warm_up_iter: int = ...,
        debug: bool = ..., winograd_adjust_threshold: int = ..., stagelr: Iterable[float] = ...,
        stageiter: Iterable[int] = ..., device_id__list: Iterable[int] = ..., group_id: Iterable[int] = ...,
        breadth_decay: float = ..., kernel_shape_decay: float = ..., warm_up: bool = ...,
        show_per_class_result: bool = ..., warm_up_lr: float = ..., show_realtime_loss: bool = ...,
        engine: str = ..., cos_min_lr: float = ..., snapshot_threadhold: int = ...,
        train_err_limit: int = ..., multistep_lr: Iterable[float] = ..., snapshot_ternary: bool = ...,
        binary: bool = ..., prune_threshold: float = ..., save_loss: bool = ..., scale_weights: bool = ...,
        on_off_stage_iter: Iterable[int] = ..., get_train_err: bool = ..., snapshot_binary: bool = ...,
        clamp_weights_lower: float = ..., clamp_weights_upper: float = ..., warm_up_mode: int | str = ...,
        qbp: bool = ..., disabled_update: bool = ..., mode: str = ..., force_decay: float = ...,
        data_type: int | str = ..., ternary: bool = ..., force_direction: str = ...,
        on_off_stage_name: Iterable[str] = ..., force_type: str = ..., init_test_interval: int = ...,
        force_iter: int = ..., clip_weights: float = ..., step_policy: Iterable[str] = ...,
        per_parameter_reduce: bool = ..., num_iter_polyak: int = ..., debug_info_test_nets: bool = ...,
        force_decay_type: str = ..., show_pr: bool = ..., data_distribute_mode: int | str = ...,
        model_average_iter_interval: int = ..., init_test_iter: int = ..., dst_lr: float = ...,
        dst_iter: float = ..., step_lr: Iterable[float] = ..., warm_up_power: int = ...,
        winograd_sparsity_factor: float = ..., layer_l1: Iterable[str] = ..., use_polyak: bool = ...,
        warm_up_iters: int = ..., warm_up_factor: float = ..., warm_up_method: str = ...,
        origin: str = ...) -> None: ...

class SolverState(Message):
    iter: int
    learned_net: str
    history: Messages[BlobProto]
    current_step: int
    resume: bytes
    def __init__(self, *, iter: int = ..., learned_net: str = ...,
        history: Iterable[BlobProto | Fields] = ..., current_step: int = ...,
        resume: bytes = ...) -> None: ...

class FillerParameter(FillerParameterOfForks):
    VarianceNorm: Enum
    FAN_IN: int
    FAN_OUT: int
    AVERAGE: int
    type: str
    value: float
    min: float
    max: float
    mean: float
    std: float
    sparse: int
    variance_norm: int
    def __init__(self, *, type: str = ..., value: float = ..., min: float = ..., max: float = ...,
        mean: float = ..., std: float = ..., sparse: int = ..., variance_norm: int | str = ...,
        file: str = ..., grid_h_in: int = ..., grid_w_in: int = ..., grid_h_out: int = ...,
        grid_w_out: int = ..., values: Iterable[float] = ..., non_zero_probability: float = ...,
        use_range: bool = ..., min_rects: int = ..., max_rects: int = ..., min_width: int = ...,
        max_width: int = ..., stds: Iterable[float] = ..., model_path: str = ..., float_file: str = ...,
        cap_in_num: int = ..., cap_out_num: int = ..., cap_mean: float = ..., cap_std: float = ...,
        cap_dim: float = ..., filled_size: int = ..., model_layer_name: str = ..., alpha: float = ...,
        to_log: bool = ..., fudge_factor: float = ..., cyclic_length: int = ..., scale: float = ...,
        diag_val: Iterable[float] = ..., num_groups: int = ..., primal_dim: int = ...,
        f_gate_bias: float = ...) -> None: ...

class TransformationParameter(TransformationParameterOfForks):
    scale: float
    mirror: bool
    crop_size: int
    mean_file: str
    mean_value: Scalars[float]
    force_color: bool
    force_gray: bool
    def __init__(self, *, scale: float = ..., mirror: bool = ..., crop_size: int = ..., mean_file: str = ...,
        mean_value: Iterable[float] = ..., force_color: bool = ..., force_gray: bool = ...,
        resize_param: ResizeParameter | Fields = ..., noise_param: NoiseParameter | Fields = ...,
        emit_constraint: EmitConstraint | Fields = ..., crop_h: int = ..., crop_w: int = ...,
        distort_param: DistortionParameter | Fields = ..., expand_param: ExpansionParameter | Fields = ...,
        random_resize_param: RandomResizeParameter | Fields = ..., horizontal_stretch_lower: float = ...,
        horizontal_stretch_upper: float = ..., apply_probability: float = ..., pad: int = ...,
        max_color_shift: int = ..., img_header: str = ..., min_side: int = ..., fix_crop: bool = ...,
        more_fix_crop: bool = ..., center_perterb_max: float = ..., sigma: float = ...,
        sigma_center: float = ..., clahe_tile_size: float = ..., clahe_clip_limit: float = ...,
        do_clahe: bool = ..., num_parts: int = ..., num_total_augs: int = ..., aug_way: str = ...,
        gray: int = ..., np_in_lmdb: int = ..., transform_body_joint: bool = ..., put_gaussian: bool = ...,
        visualize_label: bool = ..., multilabelscale: Iterable[int] = ..., flow: bool = ...,
        resize_max: int = ..., scale_factors: Iterable[float] = ..., min_cvg_len: int = ...,
        img_rand_resize_lower: int = ..., crop_height: int = ..., crop_width: int = ...,
        max_distort: int = ..., vertical_stretch_lower: float = ..., vertical_stretch_upper: float = ...,
        random_aspect_ratio_param: RandomAspectRatioParameter | Fields = ..., scale_prob: float = ...,
        scale_min: float = ..., scale_max: float = ..., allow_upscale: bool = ..., min_side_max: int = ...,
        display: bool = ..., scale_cvg: float = ..., target_dist: float = ..., random_square_drop: bool = ...,
        drop_stroke: float = ..., drop_segment: float = ..., random_point_select: int = ...,
        using_online: bool = ..., reshape_width: int = ..., cvt_bgr2rgb: bool = ...,
        force_center_crop: bool = ..., crop_by_time_length: int = ..., max_cvg_len: int = ...,
        random_seed: int = ..., max_rotation_angle: int = ..., img_rand_resize_upper: int = ...,
        scale_ratios: Iterable[float] = ..., max_rotate_degree: float = ..., is_flow: bool = ...,
        max_contrast: float = ..., max_brightness_shift: int = ..., pad_ratio: float = ...,
        upper_height: int = ..., debug_params: bool = ..., bbox_norm_factor: float = ...,
        forward_packing: int | str = ..., debug_display: bool = ..., num_labels: int = ...,
        smooth_adjustment: bool = ..., resize_min: int = ..., downsample: bool = ...,
        use_gpu_transform: bool = ..., crop_size_h: int = ..., opaque_coverage: bool = ...,
        multi_scale: bool = ..., rand_resize_ratio_lower: float = ..., rand_resize_ratio_upper: float = ...,
        min_contrast: float = ..., crop_size_x: int = ..., stride: int = ..., max_scaling_factor: float = ...,
        interpolation_algo_down: int | str = ..., interpolation_algo_up: int | str = ...,
        original_image: bool = ..., warp_fillval: float = ..., rand_rotate: Iterable[float] = ...,
        contrast_adjustment: bool = ..., crop_position: int = ..., crop_size_w: int = ..., crop_y: int = ...,
        multi_scale_levels: Iterable[float] = ..., contrast_brightness_adjustment: bool = ...,
        flip_prob: float = ..., rand_s_width: int = ..., visualize: bool = ..., rand_rotat: int = ...,
        crop_size_y: int = ..., max_smooth: float = ..., angle_interval: float = ..., upper_width: int = ...,
        max_perspective_ratio: float = ..., ignore_label: int = ..., gaussian_blur: bool = ...,
        isrand: bool = ..., crop_x: int = ..., new_width: int = ..., crop_size_l: int = ...,
        coverage: str = ..., rand_shift: int = ..., min_side_min: int = ..., rand_s_height: int = ...,
        enable_classf_aug: bool = ..., rand_noise: int = ..., upper_size: int = ...,
        rescale_short_jitter: bool = ..., max_shearing_ratio: float = ..., new_height: int = ...,
        max_rescale_ratio: float = ..., n_iterated_integrals: int = ..., data_style: str = ...,
        smooth_filtering: bool = ..., grid_dim: Iterable[int] = ..., random_rotate: bool = ...,
        vignet_radius: float = ..., min_scaling_factor: float = ..., distortion_factor: float = ...,
        bgr2rgb: bool = ..., prob: float = ..., random_crop: bool = ..., padding: int = ...,
        mean_values: Iterable[float] = ..., cover_size: Iterable[int] = ..., resize_scale_ratio: float = ...,
        user_def_jitter: bool = ..., aspect_max: float = ..., vignet_mask_power: float = ...,
        gaussian_noise_std: float = ..., uniform_noise_range: float = ..., blur_jitter: bool = ...,
        max_gamma_light: int = ..., base_gamma_light: int = ..., invalid_detection_mode: int | str = ...,
        aspect_min: float = ..., resize_param__list: Iterable[ResizeParameter | Fields] = ...,
        crop_by_time_position: int = ..., mirror_by_time: bool = ..., center_crop: bool = ...,
        erase_ratio: float = ..., random_blur: bool = ..., blur_kernel_size: int = ...,
        max_degree: float = ..., max_scale: float = ..., min_scale: float = ..., multi_view: bool = ...,
        min_rect_size: int = ..., time_unit: int = ..., min_rect_num: int = ..., max_rect_size: int = ...,
        eigen_vector_component: Iterable[float] = ..., max_rect_num: int = ...,
        eigen_value: Iterable[float] = ..., relight_filler: FillerParameter | Fields = ...) -> None: ...

class LossParameter(LossParameterOfForks):
    NormalizationMode: Enum
    FULL: int
    VALID: int
    BATCH_SIZE: int
    NONE: int
    ignore_label: int
    normalize: bool
    normalization: int
    def __init__(self, *, ignore_label: int = ..., normalize: bool = ..., normalization: int | str = ...,
        pre_fixed_normalizer: float = ..., label_end: int = ..., nframe: int = ...,
        adaptive_weighting: bool = ..., gamma: float = ..., scale: float = ..., min_weight: float = ...,
        max_weight: float = ..., max_entropy_weight: float = ..., weight_source: str = ...,
        weight_by_label_freqs: bool = ..., class_weighting: Iterable[float] = ..., inputlength: int = ...,
        normal_sample_ratio: float = ..., cclass: int = ..., max_length: int = ..., debug_info: bool = ...,
        normalize_objectness: bool = ..., ignore_classes: bool = ..., is_siftflow: bool = ...,
        noisy_flip: bool = ..., attention_net_ignore_label: int = ..., max_outside_dis: float = ...,
        probability_threshold: float = ..., debug_img_dir: str = ..., save_cycle: int = ...,
        normalize_constraint: bool = ..., hm_ratio: float = ..., class_weight_source: str = ...,
        has_probability_thresh: bool = ..., ignore_rank: bool = ..., use_ohem: bool = ..., ohem_n: int = ...,
        ignore_objectness: bool = ..., label_smoothing: float = ..., ignore_constraint: bool = ...,
        normalize_supervised: bool = ..., normalize_classes: bool = ..., label_start: int = ...,
        max_inside_dis: float = ..., ignore_location: bool = ..., is_num_scale: bool = ...) -> None: ...

class AccuracyParameter(AccuracyParameterOfForks):
    top_k: int
    axis: int
    ignore_label: int
    def __init__(self, *, top_k: int = ..., axis: int = ..., ignore_label: int = ...,
        min_is_better: bool = ..., preplexity_iter: int = ..., accuracy_ignore_label: int = ...,
        accuracy_iter: int = ..., accuracy_method: str = ..., additional: int = ...,
        attention_net_ignore_label: int = ..., denominator: float = ..., mode: str = ..., crop_num: int = ...,
        preplexity: bool = ...) -> None: ...

class ArgMaxParameter(ArgMaxParameterOfForks):
    out_max_val: bool
    top_k: int
    axis: int
    def __init__(self, *, out_max_val: bool = ..., top_k: int = ..., axis: int = ..., preplexity: bool = ...,
        preplexity_iter: int = ..., accuracy_ignore_label: int = ..., accuracy_iter: int = ...,
        accuracy_method: str = ..., use_ignore_ids: bool = ..., ignore_id: Iterable[int] = ...,
        softmax_threshold: bool = ...) -> None: ...

class BatchNormParameter(BatchNormParameterOfForks):
    use_global_stats: bool
    moving_average_fraction: float
    eps: float
    def __init__(self, *, use_global_stats: bool = ..., moving_average_fraction: float = ...,
        eps: float = ..., update_global_stats: bool = ..., scale_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., scale_bias: bool = ..., stats_batch_size: int = ...,
        relu: bool = ..., engine: int | str = ..., disable_mean: bool = ..., use_weight_bias: bool = ...,
        bias_term: bool = ..., filler: FillerParameter | Fields = ..., fused_relu: bool = ...,
        disable_variance: bool = ..., across_gpus: bool = ...) -> None: ...

class BiasParameter(BiasParameterOfForks):
    axis: int
    num_axes: int
    filler: FillerParameter
    def __init__(self, *, axis: int = ..., num_axes: int = ..., filler: FillerParameter | Fields = ...,
        channel_shared: bool = ...) -> None: ...

class ClipParameter(Message):
    min: float
    max: float
    def __init__(self, *, min: float = ..., max: float = ...) -> None: ...

class ConcatParameter(ConcatParameterOfForks):
    concat_dim: int
    axis: int
    def __init__(self, *, concat_dim: int = ..., axis: int = ..., engine: int | str = ...,
        per_fla_fuse: bool = ...) -> None: ...

class ContrastiveLossParameter(Message):
    margin: float
    legacy_version: bool
    def __init__(self, *, margin: float = ..., legacy_version: bool = ...) -> None: ...

class ConvolutionParameter(ConvolutionParameterOfForks):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    num_output: int
    bias_term: bool
    pad: Scalars[int]
    kernel_size: Scalars[int]
    group: int
    stride: Scalars[int]
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad_h: int
    pad_w: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    engine: int
    axis: int
    force_nd_im2col: bool
    dilation: Scalars[int]
    def __init__(self, *, num_output: int = ..., bias_term: bool = ..., pad: Iterable[int] = ...,
        kernel_size: Iterable[int] = ..., group: int = ..., stride: Iterable[int] = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        pad_h: int = ..., pad_w: int = ..., kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ...,
        stride_w: int = ..., engine: int | str = ..., axis: int = ..., force_nd_im2col: bool = ...,
        dilation: Iterable[int] = ..., bottom_is_im2col: bool = ..., conv_algos_override: str = ...,
        conv_algorithm: str = ..., dump_parameter: bool = ..., dump_activation: bool = ...,
        parameter_sparsity_pattern_histogram: bool = ..., relu_param: ReLUParameter | Fields = ...,
        single_channel_parallel: bool = ..., parallel_batch_size: int = ..., mylayerone: bool = ...,
        mylayertwo: bool = ..., mylayerthird: bool = ..., mylayerfourth: bool = ..., mylayerfifth: bool = ...,
        mylayersixth: bool = ..., mylayerseventh: bool = ..., dt_mask: bool = ..., mylayereighth: bool = ...,
        mylayerninth: bool = ..., kernel_depth: int = ..., temporal_stride: int = ...,
        filter_group: int = ..., temporal_pad: int = ..., stride_d: int = ..., hole: int = ...,
        hole_h: int = ..., cudnn_convolution_algo_seeker: int | str = ...,
        dilation_back_threshold: float = ..., conv_mode: int | str = ..., num_conv_partition: int = ...,
        coeff: Iterable[float] = ..., fusion_type: int | str = ..., kernel_d: int = ..., pad_d: int = ...,
        kstride: int = ..., hole_w: int = ..., kstride_w: int = ..., kstride_d: int = ...,
        normalize_variance: bool = ..., normalization_term: bool = ..., round_up_output_dims: bool = ...,
        dilation_h: int = ..., dilation_w: int = ..., force_back_propagation: bool = ...,
        shape_offset: Iterable[int] = ..., group_compute_in_parallel: bool = ..., scale_out: float = ...,
        a_min: int = ..., a_max: int = ..., kstride_h: int = ..., negative_slope: float = ...,
        normalization_fudge_factor: float = ..., mask: bool = ..., freeze: int = ..., half_pad: bool = ...,
        eltwise_param: EltwiseParameter | Fields = ..., scale_in: float = ..., share_filter: bool = ...,
        relu: bool = ..., num_deformable_group: int = ..., fuse_type: int | str = ...,
        normalize_patches: bool = ..., pad_shape: BlobShape | Fields = ...,
        kernel_shape: BlobShape | Fields = ..., stride_shape: BlobShape | Fields = ...,
        unsupervised_init: UnsupervisedInitialization | Fields = ..., params: float = ..., binary: int = ...,
        ratio: float = ..., constrain: float = ..., group_in: int = ..., group_out: int = ...,
        paramq: int = ..., need_backward: bool = ..., sq: bool = ..., input_normalization: bool = ...,
        binary__phone_detection: bool = ..., filter_stride: int = ...) -> None: ...

class CropParameter(CropParameterOfForks):
    axis: int
    offset: Scalars[int]
    def __init__(self, *, axis: int = ..., offset: Iterable[int] = ..., offset_height: int = ...,
        offset_width: int = ...) -> None: ...

class DataParameter(DataParameterOfForks):
    DB: Enum
    LEVELDB: int
    LMDB: int
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    backend: int
    force_encoded_color: bool
    prefetch: int
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., backend: int | str = ...,
        force_encoded_color: bool = ..., prefetch: int = ..., threads: int = ..., parser_threads: int = ...,
        cache: bool = ..., shuffle: bool = ..., precache: bool = ..., class_num: int = ...,
        show_data: int = ..., shared_file_system: bool = ..., shuffle_pool_size: int = ...,
        side: Iterable[int] = ..., use_float_label: bool = ..., use_multi_label: bool = ...,
        cursor: int | str = ..., seq_length: int = ..., num_label: int = ..., output_width: bool = ...,
        preselection_file: str = ..., preselection_label: int = ..., range_start: int = ...,
        range_end: int = ..., rand_permute: bool = ..., rand_permute_order: int | str = ...,
        rand_permute_seed: int = ..., slice_point: Iterable[int] = ..., encoding: Iterable[int | str] = ...,
        verbose: bool = ..., global_augmented: bool = ..., permute_every_iter: int = ...,
        block_size: int = ..., disk_reader_threads: int = ..., subtract: Iterable[float] = ...,
        data_width: int = ..., get_mirror_crop: bool = ..., label_size: int = ...,
        huge_video_dataset: bool = ..., limit_samples: int = ...) -> None: ...

class DropoutParameter(DropoutParameterOfForks):
    dropout_ratio: float
    def __init__(self, *, dropout_ratio: float = ..., sample_weights_test: bool = ..., random_seed: int = ...,
        scale_train: bool = ..., engine: int | str = ..., sqrt_scale: bool = ...,
        replicate: int = ...) -> None: ...

class DummyDataParameter(DummyDataParameterOfForks):
    data_filler: Messages[FillerParameter]
    num: Scalars[int]
    channels: Scalars[int]
    height: Scalars[int]
    width: Scalars[int]
    shape: Messages[BlobShape]
    def __init__(self, *, data_filler: Iterable[FillerParameter | Fields] = ..., num: Iterable[int] = ...,
        channels: Iterable[int] = ..., height: Iterable[int] = ..., width: Iterable[int] = ...,
        shape: Iterable[BlobShape | Fields] = ..., depth: Iterable[int] = ...,
        refill_constant: bool = ...) -> None: ...

class EltwiseParameter(EltwiseParameterOfForks):
    EltwiseOp: Enum
    PROD: int
    SUM: int
    MAX: int
    operation: int
    coeff: Scalars[float]
    stable_prod_grad: bool
    def __init__(self, *, operation: int | str = ..., coeff: Iterable[float] = ...,
        stable_prod_grad: bool = ..., coeff_blob: bool = ..., learnable_coeff: bool = ...,
        engine: int | str = ...) -> None: ...

class ELUParameter(ELUParameterOfForks):
    alpha: float
    def __init__(self, *, alpha: float = ...) -> None: ...

class EmbedParameter(Message):
    num_output: int
    input_dim: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    def __init__(self, *, num_output: int = ..., input_dim: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ...) -> None: ...

class ExpParameter(Message):
    base: float
    scale: float
    shift: float
    def __init__(self, *, base: float = ..., scale: float = ..., shift: float = ...) -> None: ...

class FlattenParameter(Message):
    axis: int
    end_axis: int
    def __init__(self, *, axis: int = ..., end_axis: int = ...) -> None: ...

class HDF5DataParameter(HDF5DataParameterOfForks):
    source: str
    batch_size: int
    shuffle: bool
    def __init__(self, *, source: str = ..., batch_size: int = ..., shuffle: bool = ..., scale: float = ...,
        mirror: bool = ..., mean_value: Iterable[float] = ..., crop_size: int = ..., crop_num: int = ...,
        debug: bool = ..., axis: int = ...) -> None: ...

class HDF5OutputParameter(Message):
    file_name: str
    def __init__(self, *, file_name: str = ...) -> None: ...

class HingeLossParameter(Message):
    Norm: Enum
    L1: int
    L2: int
    norm: int
    def __init__(self, *, norm: int | str = ...) -> None: ...

class ImageDataParameter(ImageDataParameterOfForks):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    rand_skip: int
    shuffle: bool
    new_height: int
    new_width: int
    is_color: bool
    root_folder: str
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., rand_skip: int = ..., shuffle: bool = ...,
        new_height: int = ..., new_width: int = ..., is_color: bool = ..., root_folder: str = ...,
        label_dim: int = ..., min_width: int = ..., max_aspect_ratio: float = ...,
        label_type: int | str = ..., dataset_share_per_node: float = ..., max_random_scale: float = ...,
        max_random_shift: int = ..., face_mirror: bool = ..., face_point_num: int = ...,
        clip_min: float = ..., clip_max: float = ..., label_cut_start: int = ..., label_cut_end: int = ...,
        shuffle_seed: int = ..., future_scale: int = ..., hei: int = ..., wid: int = ...,
        shared_file_system: bool = ..., new_depth: int = ..., min_height: int = ..., threads: int = ...,
        use_label: bool = ..., precache: bool = ..., min_random_scale: float = ..., num_edge_chn: int = ...,
        use_byte_input: bool = ..., balance_class: bool = ..., balance_by: int = ..., label: bool = ...,
        new_dim: int = ..., normalize: bool = ..., short_side: int = ..., max_labels: int = ...,
        cache: bool = ..., max_rotate_angle: float = ..., mean_value: float = ..., target: str = ...,
        edge_file_prefix_format: str = ..., has_label: bool = ..., max_shear_ratio: float = ...,
        num_label_chn: int = ..., num_truth_channels: int = ..., truth_scale: float = ...,
        is_flow: bool = ..., images_in_color: bool = ..., cat_per_iter: int = ...,
        other_object_label: int = ..., new_length: int = ..., show_data: int = ..., use_image: bool = ...,
        sampling_rate: int = ..., ignore_label: int = ..., use_temporal_jitter: bool = ...,
        rand_seed: int = ..., rate_width: float = ..., label_size: int = ..., att_num: int = ...,
        face_transform: bool = ..., use_gps: bool = ..., label_num: int = ..., multilabel_num: int = ...,
        bicubic: bool = ..., cache_images: bool = ..., dim_label: int = ..., rate_height: float = ...,
        label_divide_factor: int = ..., pair_size: int = ..., has_mask: bool = ...) -> None: ...

class InfogainLossParameter(Message):
    source: str
    axis: int
    def __init__(self, *, source: str = ..., axis: int = ...) -> None: ...

class InnerProductParameter(InnerProductParameterOfForks):
    num_output: int
    bias_term: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    axis: int
    transpose: bool
    def __init__(self, *, num_output: int = ..., bias_term: bool = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        axis: int = ..., transpose: bool = ..., normalize: bool = ..., spmdm_transpose_in: bool = ...,
        spmdm_transpose_out: bool = ..., dump_parameter: bool = ..., dump_activation: bool = ...,
        a_max: int = ..., regular_unit: bool = ..., gemm_mode: int | str = ..., relu: bool = ...,
        negative_slope: float = ..., scale_out: float = ..., a_min: int = ..., output_4d: bool = ...,
        engine: int | str = ..., params: float = ..., scale_in: float = ..., paramq: int = ...,
        ratio: float = ..., sq: bool = ...) -> None: ...

class InputParameter(InputParameterOfForks):
    shape: Messages[BlobShape]
    def __init__(self, *, shape: Iterable[BlobShape | Fields] = ...,
        force_backward: Iterable[bool] = ...) -> None: ...

class LogParameter(Message):
    base: float
    scale: float
    shift: float
    def __init__(self, *, base: float = ..., scale: float = ..., shift: float = ...) -> None: ...

class LRNParameter(LRNParameterOfForks):
    NormRegion: Enum
    ACROSS_CHANNELS: int
    WITHIN_CHANNEL: int
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    local_size: int
    alpha: float
    beta: float
    norm_region: int
    k: float
    engine: int
    def __init__(self, *, local_size: int = ..., alpha: float = ..., beta: float = ...,
        norm_region: int | str = ..., k: float = ..., engine: int | str = ..., fuse_type: int | str = ...,
        pooling_param: PoolingParameter | Fields = ..., unit_test_mode: bool = ...,
        unit_test_fuse_kernel: bool = ..., shift: float = ...) -> None: ...

class MemoryDataParameter(MemoryDataParameterOfForks):
    batch_size: int
    channels: int
    height: int
    width: int
    def __init__(self, *, batch_size: int = ..., channels: int = ..., height: int = ..., width: int = ...,
        depth: int = ..., transpose: bool = ..., source: str = ..., share_in_parallel: bool = ...,
        dim: Iterable[int] = ..., dim_label: int = ..., label_dim: int = ..., length: int = ...) -> None: ...

class MVNParameter(Message):
    normalize_variance: bool
    across_channels: bool
    eps: float
    def __init__(self, *, normalize_variance: bool = ..., across_channels: bool = ...,
        eps: float = ...) -> None: ...

class ParameterParameter(ParameterParameterOfForks):
    shape: BlobShape
    def __init__(self, *, shape: BlobShape | Fields = ..., blob_filler: FillerParameter | Fields = ...,
        norm_axis: int = ..., filler: FillerParameter | Fields = ...,
        weight_filler: FillerParameter | Fields = ...) -> None: ...

class PoolingParameter(PoolingParameterOfForks):
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    RoundMode: Enum
    CEIL: int
    FLOOR: int
    pool: int
    kernel_size: int
    stride: int
    pad: int
    kernel_h: int
    kernel_w: int
    stride_h: int
    stride_w: int
    pad_h: int
    pad_w: int
    engine: int
    global_pooling: bool
    round_mode: int
    def __init__(self, *, pool: int | str = ..., kernel_size: int = ..., stride: int = ..., pad: int = ...,
        kernel_h: int = ..., kernel_w: int = ..., stride_h: int = ..., stride_w: int = ..., pad_h: int = ...,
        pad_w: int = ..., engine: int | str = ..., global_pooling: bool = ..., round_mode: int | str = ...,
        kstride: int = ..., kstride_h: int = ..., kstride_w: int = ..., kstride_d: int = ..., fix: int = ...,
        fix_x: int = ..., fix_y: int = ..., mask_index_type: int | str = ..., torch_pooling: bool = ...,
        kernel_depth: int = ..., temporal_stride: int = ..., kernel_d: int = ..., stride_d: int = ...,
        ceil_mode: bool = ..., blobs_a_min: float = ..., pad_3d: Iterable[int] = ...,
        kernel_size_3d: Iterable[int] = ..., stride_3d: Iterable[int] = ..., axis: int = ...,
        pad_d: int = ..., blobs_lr: float = ..., avg_include_pad: bool = ..., dilation: Iterable[int] = ...,
        real_pool_size: bool = ..., pad_shape: BlobShape | Fields = ...,
        kernel_shape: BlobShape | Fields = ..., stride_shape: BlobShape | Fields = ...,
        kernel_size__list: Iterable[int] = ..., stride__list: Iterable[int] = ...,
        pad__list: Iterable[int] = ..., norm_region: int | str = ...) -> None: ...

class PowerParameter(PowerParameterOfForks):
    power: float
    scale: float
    shift: float
    def __init__(self, *, power: float = ..., scale: float = ..., shift: float = ...,
        learnable_power: bool = ..., learnable_scale: bool = ..., learnable_shift: bool = ...,
        nonnegative_scale: bool = ..., nonnegative_shift: bool = ...) -> None: ...

class PReLUParameter(PReLUParameterOfForks):
    filler: FillerParameter
    channel_shared: bool
    def __init__(self, *, filler: FillerParameter | Fields = ..., channel_shared: bool = ...,
        init_value: float = ...) -> None: ...

class PythonParameter(Message):
    module: str
    layer: str
    param_str: str
    share_in_parallel: bool
    def __init__(self, *, module: str = ..., layer: str = ..., param_str: str = ...,
        share_in_parallel: bool = ...) -> None: ...

class RecurrentParameter(RecurrentParameterOfForks):
    num_output: int
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    debug_info: bool
    expose_hidden: bool
    def __init__(self, *, num_output: int = ..., weight_filler: FillerParameter | Fields = ...,
        bias_filler: FillerParameter | Fields = ..., debug_info: bool = ..., expose_hidden: bool = ...,
        sparsity_info: bool = ..., vdnn_setting: bool = ..., deepcompression_setting: bool = ...,
        dynamic_setting: bool = ..., backup_setting: bool = ..., dropout_ratio: float = ...) -> None: ...

class ReductionParameter(ReductionParameterOfForks):
    ReductionOp: Enum
    SUM: int
    ASUM: int
    SUMSQ: int
    MEAN: int
    operation: int
    axis: int
    coeff: float
    def __init__(self, *, operation: int | str = ..., axis: int = ..., coeff: float = ...,
        k: int = ...) -> None: ...

class ReLUParameter(ReLUParameterOfForks):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    negative_slope: float
    engine: int
    def __init__(self, *, negative_slope: float = ..., engine: int | str = ..., fuse: bool = ...) -> None: ...

class ReshapeParameter(ReshapeParameterOfForks):
    shape: BlobShape
    axis: int
    num_axes: int
    def __init__(self, *, shape: BlobShape | Fields = ..., axis: int = ..., num_axes: int = ...,
        pixelshuffler: int = ..., new_patch_height: int = ..., new_channel: int = ..., new_height: int = ...,
        new_width: int = ..., new_patch_width: int = ...) -> None: ...

class ScaleParameter(ScaleParameterOfForks):
    axis: int
    num_axes: int
    filler: FillerParameter
    bias_term: bool
    bias_filler: FillerParameter
    def __init__(self, *, axis: int = ..., num_axes: int = ..., filler: FillerParameter | Fields = ...,
        bias_term: bool = ..., bias_filler: FillerParameter | Fields = ..., min_value: float = ...,
        max_value: float = ..., scale_factor: float = ...) -> None: ...

class SigmoidParameter(SigmoidParameterOfForks):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    engine: int
    def __init__(self, *, engine: int | str = ..., use_focal: bool = ..., ratio: float = ...) -> None: ...

class SliceParameter(Message):
    slice_dim: int
    slice_point: Scalars[int]
    axis: int
    def __init__(self, *, slice_dim: int = ..., slice_point: Iterable[int] = ...,
        axis: int = ...) -> None: ...

class SoftmaxParameter(SoftmaxParameterOfForks):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    engine: int
    axis: int
    def __init__(self, *, engine: int | str = ..., axis: int = ..., hard_ratio: float = ...,
        class_weight: Iterable[float] = ..., hard_mining_label: int = ..., cutting_point: float = ...,
        normalize_type: str = ..., label_smooth_factor: float = ..., normalize_classes: bool = ...,
        balance: bool = ..., weight_source: str = ..., pos_cid: int = ..., pos_mult: float = ...) -> None: ...

class SPPParameter(Message):
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    pyramid_height: int
    pool: int
    engine: int
    def __init__(self, *, pyramid_height: int = ..., pool: int | str = ...,
        engine: int | str = ...) -> None: ...

class SwishParameter(Message):
    beta: float
    def __init__(self, *, beta: float = ...) -> None: ...

class TanHParameter(Message):
    Engine: Enum
    DEFAULT: int
    CAFFE: int
    CUDNN: int
    engine: int
    def __init__(self, *, engine: int | str = ...) -> None: ...

class ThresholdParameter(ThresholdParameterOfForks):
    threshold: float
    def __init__(self, *, threshold: float = ..., maxvalue: float = ..., minvalue: float = ...,
        tradeoff: float = ...) -> None: ...

class TileParameter(TileParameterOfForks):
    axis: int
    tiles: int
    def __init__(self, *, axis: int = ..., tiles: int = ..., tiles_from_axis: int = ...,
        coeff: Iterable[float] = ...) -> None: ...

class WindowDataParameter(WindowDataParameterOfForks):
    source: str
    scale: float
    mean_file: str
    batch_size: int
    crop_size: int
    mirror: bool
    fg_threshold: float
    bg_threshold: float
    fg_fraction: float
    context_pad: int
    crop_mode: str
    cache_images: bool
    root_folder: str
    def __init__(self, *, source: str = ..., scale: float = ..., mean_file: str = ..., batch_size: int = ...,
        crop_size: int = ..., mirror: bool = ..., fg_threshold: float = ..., bg_threshold: float = ...,
        fg_fraction: float = ..., context_pad: int = ..., crop_mode: str = ..., cache_images: bool = ...,
        root_folder: str = ..., config: str = ..., shuffle: bool = ...) -> None: ...

class V1LayerParameter(V1LayerParameterOfForks):
    LayerType: Enum
    NONE: int
    ACCURACY: int
    BNLL: int
    CONCAT: int
    CONVOLUTION: int
    DATA: int
    DROPOUT: int
    EUCLIDEAN_LOSS: int
    FLATTEN: int
    HDF5_DATA: int
    HDF5_OUTPUT: int
    IM2COL: int
    IMAGE_DATA: int
    INFOGAIN_LOSS: int
    INNER_PRODUCT: int
    LRN: int
    MULTINOMIAL_LOGISTIC_LOSS: int
    POOLING: int
    RELU: int
    SIGMOID: int
    SOFTMAX: int
    SOFTMAX_LOSS: int
    SPLIT: int
    TANH: int
    WINDOW_DATA: int
    ELTWISE: int
    POWER: int
    SIGMOID_CROSS_ENTROPY_LOSS: int
    HINGE_LOSS: int
    MEMORY_DATA: int
    ARGMAX: int
    THRESHOLD: int
    DUMMY_DATA: int
    SLICE: int
    MVN: int
    ABSVAL: int
    SILENCE: int
    CONTRASTIVE_LOSS: int
    EXP: int
    DECONVOLUTION: int
    DimCheckMode: Enum
    STRICT: int
    PERMISSIVE: int
    layer: V0LayerParameter
    bottom: Scalars[str]
    top: Scalars[str]
    name: str
    type: int
    blobs: Messages[BlobProto]
    blobs_lr: Scalars[float]
    weight_decay: Scalars[float]
    concat_param: ConcatParameter
    convolution_param: ConvolutionParameter
    data_param: DataParameter
    dropout_param: DropoutParameter
    hdf5_data_param: HDF5DataParameter
    hdf5_output_param: HDF5OutputParameter
    image_data_param: ImageDataParameter
    infogain_loss_param: InfogainLossParameter
    inner_product_param: InnerProductParameter
    lrn_param: LRNParameter
    pooling_param: PoolingParameter
    window_data_param: WindowDataParameter
    power_param: PowerParameter
    memory_data_param: MemoryDataParameter
    argmax_param: ArgMaxParameter
    eltwise_param: EltwiseParameter
    threshold_param: ThresholdParameter
    dummy_data_param: DummyDataParameter
    accuracy_param: AccuracyParameter
    hinge_loss_param: HingeLossParameter
    relu_param: ReLUParameter
    slice_param: SliceParameter
    include: Messages[NetStateRule]
    exclude: Messages[NetStateRule]
    mvn_param: MVNParameter
    loss_weight: Scalars[float]
    transform_param: TransformationParameter
    tanh_param: TanHParameter
    sigmoid_param: SigmoidParameter
    softmax_param: SoftmaxParameter
    contrastive_loss_param: ContrastiveLossParameter
    exp_param: ExpParameter
    loss_param: LossParameter
    param: Scalars[str]
    blob_share_mode: Scalars[int]
    origin: str
    def __init__(self, *, layer: V0LayerParameter | Fields = ..., bottom: Iterable[str] = ...,
        top: Iterable[str] = ..., name: str = ..., type: int | str = ...,
        blobs: Iterable[BlobProto | Fields] = ..., blobs_lr: Iterable[float] = ...,
        weight_decay: Iterable[float] = ..., concat_param: ConcatParameter | Fields = ...,
        convolution_param: ConvolutionParameter | Fields = ..., data_param: DataParameter | Fields = ...,
        dropout_param: DropoutParameter | Fields = ..., hdf5_data_param: HDF5DataParameter | Fields = ...,
        hdf5_output_param: HDF5OutputParameter | Fields = ...,
        image_data_param: ImageDataParameter | Fields = ...,
        infogain_loss_param: InfogainLossParameter | Fields = ...,
        inner_product_param: InnerProductParameter | Fields = ..., lrn_param: LRNParameter | Fields = ...,
        pooling_param: PoolingParameter | Fields = ..., window_data_param: WindowDataParameter | Fields = ...,
        power_param: PowerParameter | Fields = ..., memory_data_param: MemoryDataParameter | Fields = ...,
        argmax_param: ArgMaxParameter | Fields = ..., eltwise_param: EltwiseParameter | Fields = ...,
        threshold_param: ThresholdParameter | Fields = ...,
        dummy_data_param: DummyDataParameter | Fields = ..., accuracy_param: AccuracyParameter | Fields = ...,
        hinge_loss_param: HingeLossParameter | Fields = ..., relu_param: ReLUParameter | Fields = ...,
        slice_param: SliceParameter | Fields = ..., include: Iterable[NetStateRule | Fields] = ...,
        exclude: Iterable[NetStateRule | Fields] = ..., mvn_param: MVNParameter | Fields = ...,
        loss_weight: Iterable[float] = ..., transform_param: TransformationParameter | Fields = ...,
        tanh_param: TanHParameter | Fields = ..., sigmoid_param: SigmoidParameter | Fields = ...,
        softmax_param: SoftmaxParameter | Fields = ...,
        contrastive_loss_param: ContrastiveLossParameter | Fields = ...,
        exp_param: ExpParameter | Fields = ..., loss_param: LossParameter | Fields = ...,
        bn_param: BNParameter | Fields = ..., linear_transform_param: LinearTransformParameter | Fields = ...,
        nlu_param: NLUParameter | Fields = ..., duplicate_param: DuplicateParameter | Fields = ...,
        mask_param: TransformationParameter | Fields = ...,
        roi_pooling_param: ROIPoolingParameter | Fields = ...,
        euclidean_param: EuclideanParameter | Fields = ...,
        truncation_param: TruncationParameter | Fields = ..., noise_param: NoiseParameter | Fields = ...,
        censor_label_param: CensorLabelParameter | Fields = ...,
        adaptive_bias_channel_param: AdaptiveBiasChannelParameter | Fields = ...,
        channel_aggregator_param: ChannelAggregatorParameter | Fields = ...,
        ignore_overlay_param: IgnoreOverlayParameter | Fields = ...,
        histogram_param: HistogramParameter | Fields = ..., ele_opt_param: EleOptParameter | Fields = ...,
        gain_channel_param: GainChannelParameter | Fields = ..., onehot_param: OneHotParameter | Fields = ...,
        mean_loss_param: MeanLossParameter | Fields = ..., relu6_param: ReLUParameter | Fields = ...,
        linear_quant_param: LinearQuantParameter | Fields = ..., mrelu_param: MReLUParameter | Fields = ...,
        multobin_param: MulToBinParameter | Fields = ...,
        mtranspose_param: MtransposeParameter | Fields = ..., mlquant_param: MLQuantParameter | Fields = ...,
        lot_param: LotParameter | Fields = ...,
        rank_noisy_trans_param: RankNoisyTransParameter | Fields = ...,
        pack_data_param: PackDataParameter | Fields = ..., cap_param: CapParameter | Fields = ...,
        margin_param: MarginParameter | Fields = ..., squash_param: SquashParameter | Fields = ...,
        capsule_transform_param: CapsuleTransformParameter | Fields = ...,
        capsule_routing_param: CapsuleRoutingParameter | Fields = ...,
        capsule_mask_param: CapsuleMaskParameter | Fields = ...,
        capsule_reshape_param: CapsuleReshapeParameter | Fields = ...,
        capsule_len_param: CapsuleLenParameter | Fields = ...,
        capsule_conv_transform_param: CapsuleConvTransformParameter | Fields = ...,
        capsule_conv_routing_param: CapsuleConvRoutingParameter | Fields = ...,
        capsule_relu_param: CapsuleReluParameter | Fields = ...,
        capsule_deconv_transform_param: CapsuleDeconvTransformParameter | Fields = ...,
        capsule_deconv_routing_param: CapsuleDeconvRoutingParameter | Fields = ...,
        capsule_deconv_param: CapsuleDeconvParameter | Fields = ...,
        capsule_conv_param: CapsuleConvParameter | Fields = ...,
        noisy_trans_param: NoisyTransParameter | Fields = ...,
        pseudo_label_cross_entropy_loss_param: PseudoLabelCrossEntropyLossParameter | Fields = ...,
        std_pseudo_label_entropy_loss_param: StdPseudoLabelEntropyLossParameter | Fields = ...,
        cross_entropy_loss_param: CrossEntropyLossParameter | Fields = ...,
        softmax_noisy_label_loss_param: SoftmaxNoisyLabelLossParameter | Fields = ...,
        detection_loss_param: DetectionLossParameter | Fields = ...,
        eval_detection_param: EvalDetectionParameter | Fields = ..., sf_param: SFParameter | Fields = ...,
        sp1_param: Plus1LossParameter | Fields = ...,
        multilabel_accuracy_param: MultiLabelAccuracyParameter | Fields = ...,
        crop_pooling_param: CropPoolingParameter | Fields = ...,
        deformable_convolution_param: DeformableConvolutionParameter | Fields = ...,
        param: Iterable[str] = ..., blob_share_mode: Iterable[int | str] = ...,
        down_sampling_param: DownSamplingParameter | Fields = ...,
        namcwindow_data_param: NAMCWindowDataParameter | Fields = ...,
        euclidean_loss_param: EuclideanLossParameter | Fields = ..., cccp_param: CCCPParameter | Fields = ...,
        well_loss_param: WellLossParameter | Fields = ..., affinity_param: AffinityParameter | Fields = ...,
        local_param: LocalParameter | Fields = ...,
        triplet_ranking_hinge_loss_param: TripletRankingHingeLossParameter | Fields = ...,
        insanity_param: InsanityParameter | Fields = ..., crop_param: CropParameter | Fields = ...,
        manual_crop_param: ManualCropParameter | Fields = ...,
        eltwise_affine_param: EltwiseAffineParameter | Fields = ...,
        sub_region_param: SubRegionParameter | Fields = ...,
        unique_label_param: UniqueLabelParameter | Fields = ...,
        softmax_pos_neg_loss_param: SoftmaxPosNegWithLossParameter | Fields = ...,
        accuracy_view_param: AccuracyViewParameter | Fields = ...,
        softmax_with_sphere_loss_param: SoftmaxWithSphereLossParameter | Fields = ...,
        accuracy_sphere_param: AccuracySphereParameter | Fields = ...,
        smooth_l1_loss_param: SmoothL1LossParameter | Fields = ...,
        merge_param: MergeParameter | Fields = ..., split_param: SplitParameter | Fields = ...,
        ceuclidean_loss_param: CEuclideanLossParameter | Fields = ...,
        pack_channel_param: PackChannelParameter | Fields = ..., dct_param: DCTParameter | Fields = ...,
        data_align_param: DataAlignParameter | Fields = ..., gdn_param: GDNParameter | Fields = ...,
        mtlu_param: MtluParameter | Fields = ..., wsplit_param: WSplitParameter | Fields = ...,
        entropy_bottleneck_param: EntropyBottleneckParameter | Fields = ...,
        float2int_param: Float2IntParameter | Fields = ...,
        noise_data_param: NoiseDataParameter | Fields = ...,
        img_resize_param: ImgResizeParameter | Fields = ...,
        color_transfer_param: ColorTransferParameter | Fields = ...,
        msplit_channel_param: MsplitParameter | Fields = ...,
        nonlocal_param: NonlocalParameter | Fields = ..., decoder_param: DecoderParameter | Fields = ...,
        video_data_param: VideoDataParameter | Fields = ..., interp_param: InterpParameter | Fields = ...,
        seg_accuracy_param: SegAccuracyParameter | Fields = ...,
        mat_write_param: MatWriteParameter | Fields = ...,
        multi_stage_meanfield_param: MultiStageMeanfieldParameter | Fields = ...,
        prelu_param: PReLUParameter | Fields = ..., reshape_param: ReshapeParameter | Fields = ...,
        mcwindow_data_param: MCWindowDataParameter | Fields = ..., strict_dim: bool = ...,
        padding_param: PaddingParameter | Fields = ...,
        softmaxloss_param: SoftmaxLossParameter | Fields = ...,
        indicator_data_param: IndicatorDataParameter | Fields = ...,
        colinear_convolution_param: ColinearConvolutionParameter | Fields = ...,
        mult_softmax_param: MultiSoftmaxParameter | Fields = ...,
        mult_softmax_loss_param: MultiSoftmaxLossParameter | Fields = ...,
        hadamard_product_param: HadamardProductParameter | Fields = ...,
        triplet_constraint_ranking_loss_param: TripletConstraintRankingLossParameter | Fields = ...,
        l1_loss_param: L1LossParameter | Fields = ...,
        latent_guassian_param: LatentGaussianParameter | Fields = ...,
        triplet_loss_param: TripletLossParameter | Fields = ...,
        pairwise_sample_loss_param: PairWiseSampleLossParameter | Fields = ...,
        triplet_clip_hinge_loss_param: TripletClipHingeLossParameter | Fields = ...,
        bias_channel_param: BiasChannelParameter | Fields = ...,
        softmax_with_view_loss_param: SoftmaxWithViewLossParameter | Fields = ...,
        dtow_param: DtowParameter | Fields = ..., entropy_loss_param: EntropyLossParameter | Fields = ...,
        imp_map_param: ImpMapParameter | Fields = ...,
        entropy_pack_param: EntropyPackParameter | Fields = ...,
        const_scale_param: ConstScaleParameter | Fields = ...,
        heatmap_data_param: HeatmapDataParameter | Fields = ...,
        subtraction_param: SubtractionParameter | Fields = ...,
        quant_trun_param: Quant_TrunParameter | Fields = ...,
        periodic_loss_param: PeriodicLossParameter | Fields = ...,
        mat_read_param: MatReadParameter | Fields = ..., dense_crf_param: DenseCRFParameter | Fields = ...,
        dominant_channel_param: DominantChannelParameter | Fields = ...,
        combine_loss_param: CombineLossParameter | Fields = ..., patch_param: PatchParameter | Fields = ...,
        accuracy_distance_param: AccuracyDistanceParameter | Fields = ...,
        trunc_param: TruncParameter | Fields = ...,
        image_multilabel_data_param: ImageMultiLabelDataParameter | Fields = ...,
        red_softmax_loss_param: RedSoftmaxWithLossParameter | Fields = ...,
        quant_accuracy_param: QuantAccuracyParameter | Fields = ...,
        label_split_param: LabelSplitParameter | Fields = ...,
        mixed_pred_param: MixedPredParameter | Fields = ...,
        select_seg_binary_param: SelectSegBinaryParameter | Fields = ...,
        eltwise_accuracy_param: EltwiseAccuracyParameter | Fields = ...,
        resize_param: ResizeParameter | Fields = ..., pifa_data_param: PifaDataParameter | Fields = ...,
        red_accuracy_param: RedAccuracyParameter | Fields = ...,
        binary_accuracy_param: BinaryAccuracyParameter | Fields = ...,
        window_cls_data_param: WindowClsDataParameter | Fields = ...,
        round_param: RoundParameter | Fields = ..., word_sum_param: WordSumParameter | Fields = ...,
        euclidean_weight_loss_param: EuclideanWeightLossParameter | Fields = ...,
        intranorm_param: IntranormParameter | Fields = ..., rank_param: RankParameter | Fields = ...,
        detectmap_data_param: DetectmapDataParameter | Fields = ...,
        unpooling_param: UnpoolingParameter | Fields = ..., netvlad_param: NetvladParameter | Fields = ...,
        image_label_data_param: ImageLabelDataParameter | Fields = ...,
        gradient_scaler_param: GradientScalerParameter | Fields = ..., origin: str = ...) -> None: ...

class V0LayerParameter(Message):
    PoolMethod: Enum
    MAX: int
    AVE: int
    STOCHASTIC: int
    name: str
    type: str
    num_output: int
    biasterm: bool
    weight_filler: FillerParameter
    bias_filler: FillerParameter
    pad: int
    kernelsize: int
    group: int
    stride: int
    pool: int
    dropout_ratio: float
    local_size: int
    alpha: float
    beta: float
    source: str
    scale: float
    meanfile: str
    batchsize: int
    cropsize: int
    mirror: bool
    k: float
    blobs: Messages[BlobProto]
    blobs_lr: Scalars[float]
    weight_decay: Scalars[float]
    rand_skip: int
    det_fg_threshold: float
    det_bg_threshold: float
    det_fg_fraction: float
    det_context_pad: int
    det_crop_mode: str
    new_num: int
    new_channels: int
    new_height: int
    new_width: int
    shuffle_images: bool
    concat_dim: int
    hdf5_output_param: HDF5OutputParameter
    def __init__(self, *, name: str = ..., type: str = ..., num_output: int = ..., biasterm: bool = ...,
        weight_filler: FillerParameter | Fields = ..., bias_filler: FillerParameter | Fields = ...,
        pad: int = ..., kernelsize: int = ..., group: int = ..., stride: int = ..., pool: int | str = ...,
        dropout_ratio: float = ..., local_size: int = ..., alpha: float = ..., beta: float = ...,
        source: str = ..., scale: float = ..., meanfile: str = ..., batchsize: int = ..., cropsize: int = ...,
        mirror: bool = ..., k: float = ..., blobs: Iterable[BlobProto | Fields] = ...,
        blobs_lr: Iterable[float] = ..., weight_decay: Iterable[float] = ..., rand_skip: int = ...,
        det_fg_threshold: float = ..., det_bg_threshold: float = ..., det_fg_fraction: float = ...,
        det_context_pad: int = ..., det_crop_mode: str = ..., new_num: int = ..., new_channels: int = ...,
        new_height: int = ..., new_width: int = ..., shuffle_images: bool = ..., concat_dim: int = ...,
        hdf5_output_param: HDF5OutputParameter | Fields = ...) -> None: ...
